#include "bundle/signature.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <array>
#include <memory>

#include "base/digest.hpp"
#include "base/files.hpp"

namespace podwright {

namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Buffer = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string contents(BIO* buffer) {
  char* start = nullptr;
  const auto length = BIO_get_mem_data(buffer, &start);
  return {start, static_cast<std::size_t>(length)};
}

std::string raw_public(EVP_PKEY* key) {
  std::array<unsigned char, 32> raw{};
  std::size_t length = raw.size();
  if (EVP_PKEY_get_raw_public_key(key, raw.data(), &length) != 1) return {};
  return base64_encode({reinterpret_cast<const char*>(raw.data()), length});
}

bool is_ed25519(const Key& key) { return key && EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_ED25519; }

}  // namespace

Result<std::string> make_key_pair(const std::filesystem::path& file) {
  for (const auto& one : {file, std::filesystem::path(file.string() + ".pub")}) {
    if (std::filesystem::exists(one)) {
      return fail(Fault::usage, one.string() + " exists already", "a key is never overwritten: choose another name");
    }
  }
  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), &EVP_PKEY_free);
  if (!key) return fail(Fault::internal, "OpenSSL cannot make an Ed25519 key");
  const Buffer secret(BIO_new(BIO_s_mem()), &BIO_free);
  const Buffer open(BIO_new(BIO_s_mem()), &BIO_free);
  if (PEM_write_bio_PKCS8PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_PUBKEY(open.get(), key.get()) != 1) {
    return fail(Fault::internal, "OpenSSL cannot write the key");
  }
  if (auto written = write_file(file, contents(secret.get()), 0600); !written) return fail(written.error());
  if (auto written = write_file(file.string() + ".pub", contents(open.get()), 0644); !written) return fail(written.error());
  return fingerprint(raw_public(key.get()));
}

Result<Signature> sign(std::string_view text, const std::filesystem::path& private_key) {
  const auto pem = read_file(private_key);
  if (!pem) return fail(Fault::usage, pem.error().what, "podwright bundle keygen makes a key");
  const Buffer buffer(BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size())), &BIO_free);
  const Key key(PEM_read_bio_PrivateKey(buffer.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
  if (!is_ed25519(key)) {
    return fail(Fault::usage, private_key.string() + " holds no Ed25519 private key", "podwright bundle keygen makes one");
  }
  const Context context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  std::array<unsigned char, 64> bytes{};
  std::size_t length = bytes.size();
  if (EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), bytes.data(), &length, bytes_of(text), text.size()) != 1) {
    return fail(Fault::internal, "OpenSSL cannot sign");
  }
  return Signature{.public_key = raw_public(key.get()), .bytes = base64_encode({reinterpret_cast<const char*>(bytes.data()), length})};
}

bool is_signed_by_its_key(std::string_view text, const Signature& signature) {
  const auto raw = base64_decode(signature.public_key);
  const auto bytes = base64_decode(signature.bytes);
  if (!raw || raw->size() != 32 || !bytes || bytes->size() != 64) return false;
  const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(*raw), raw->size()), &EVP_PKEY_free);
  const Context context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  return key && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(*bytes), bytes->size(), bytes_of(text), text.size()) == 1;
}

Result<std::string> read_public_key(const std::filesystem::path& file) {
  const auto pem = read_file(file);
  if (!pem) return fail(Fault::usage, pem.error().what, "podwright bundle keygen writes it as NAME.pub");
  const Buffer buffer(BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size())), &BIO_free);
  const Key key(PEM_read_bio_PUBKEY(buffer.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
  if (!is_ed25519(key)) return fail(Fault::usage, file.string() + " holds no Ed25519 public key", "podwright bundle keygen writes it as NAME.pub");
  return raw_public(key.get());
}

std::string fingerprint(const std::string& public_key) { return sha256_hex(public_key).substr(0, 16); }

}  // namespace podwright
