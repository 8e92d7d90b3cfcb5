// Signs who a customer is, as docs/WEB.md has it: java Sign.java KEYFILE USER
//
// The JSON is written by hand here, so that the sample needs no library: use the one you have.

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

class Sign {
    static String sign(String key, String user, String plan) throws Exception {
        Base64.Encoder base64url = Base64.getUrlEncoder().withoutPadding();
        long expires = System.currentTimeMillis() / 1000 + 3600;
        String said = "{\"user\":\"" + user + "\",\"expires\":" + expires
            + ",\"attributes\":{\"plan\":\"" + plan + "\"}}";
        String text = base64url.encodeToString(said.getBytes(StandardCharsets.UTF_8));
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
        byte[] signature = mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
        return text + "." + base64url.encodeToString(signature);
    }

    public static void main(String[] arguments) throws Exception {
        String key = Files.readString(Path.of(arguments[0])).trim();
        System.out.println(sign(key, arguments[1], "gold"));
    }
}
