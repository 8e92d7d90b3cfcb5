# Signs who a customer is, as docs/WEB.md has it: ruby sign.rb KEYFILE USER

require 'base64'
require 'json'
require 'openssl'

def base64url(data)
  Base64.urlsafe_encode64(data, padding: false)
end

def sign(key, user, attributes)
  said = { user: user, expires: Time.now.to_i + 3600, attributes: attributes }
  text = base64url(JSON.generate(said))
  "#{text}.#{base64url(OpenSSL::HMAC.digest('SHA256', key, text))}"
end

puts sign(File.read(ARGV[0]).strip, ARGV[1], { plan: 'gold' })
