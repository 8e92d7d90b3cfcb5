<?php
// Signs who a customer is, as docs/WEB.md has it: php sign.php KEYFILE USER

function base64url(string $data): string
{
    return rtrim(strtr(base64_encode($data), '+/', '-_'), '=');
}

function sign(string $key, string $user, array $attributes): string
{
    $said = ['user' => $user, 'expires' => time() + 3600, 'attributes' => (object) $attributes];
    $text = base64url(json_encode($said));
    return $text . '.' . base64url(hash_hmac('sha256', $text, $key, true));
}

echo sign(trim(file_get_contents($argv[1])), $argv[2], ['plan' => 'gold']), "\n";
