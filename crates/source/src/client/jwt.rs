//! Signed JWTs (RFC 7519), with the cryptography that TLS brings.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result as JwtResult, new_error};
use jsonwebtoken::signature::{Error as SignatureError, Signer};
use jsonwebtoken::{Algorithm, EncodingKey};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use ring::{error::Unspecified, hmac};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;

use crate::spec::{JwtAlgorithm, JwtSpec};
use lakefeed_model::error::{Error, Result};
use lakefeed_model::secret::Secret;

/// Signs a JWT that is issued at `now`, in seconds since 1970.
///
/// # Errors
/// [`ErrorKind::Config`](lakefeed_model::error::ErrorKind) when the key is not one for the
/// algorithm.
pub(super) fn sign(spec: &JwtSpec, now: i64) -> Result<Secret> {
    use_ring();
    let (algorithm, key) = key_of(spec)?;
    let mut header = jsonwebtoken::Header::new(algorithm);
    header.kid.clone_from(&spec.key_id);
    let mut claims = spec.claims.clone();
    claims.entry("iat").or_insert(json!(now));
    claims
        .entry("exp")
        .or_insert(json!(now.saturating_add(i64::try_from(spec.lifetime.as_secs()).unwrap_or(i64::MAX))));
    jsonwebtoken::encode(&header, &claims, &key).map(Secret::new).map_err(|_| bad_key())
}

/// Checks that the key of `spec` is one for its algorithm.
///
/// # Errors
/// [`ErrorKind::Config`](lakefeed_model::error::ErrorKind) when it is not.
pub fn check_jwt_key(spec: &JwtSpec) -> Result<()> {
    let (algorithm, key) = key_of(spec)?;
    RingSigner::new(algorithm, &key).map(drop).map_err(|_| bad_key())
}

fn key_of(spec: &JwtSpec) -> Result<(Algorithm, EncodingKey)> {
    let (algorithm, key) = match spec.algorithm {
        JwtAlgorithm::Rs256 => (Algorithm::RS256, of_pem(spec, EncodingKey::from_rsa_der)),
        JwtAlgorithm::Es256 => (Algorithm::ES256, of_pem(spec, EncodingKey::from_ec_der)),
        JwtAlgorithm::Hs256 => (Algorithm::HS256, EncodingKey::from_secret(spec.key.expose().as_bytes()).ok()),
    };
    Ok((algorithm, key.ok_or_else(bad_key)?))
}

/// Returns an error without its cause: the libraries' errors may quote the key.
fn bad_key() -> Error {
    Error::config("client.auth.private_key is not a key for the algorithm")
        .with_hint("RS256 wants an RSA key in PEM, ES256 a P-256 key in PKCS #8 PEM; ${file:key.pem} reads a file")
}

/// Takes a private key out of PEM, PKCS #8 or PKCS #1.
fn of_pem(spec: &JwtSpec, of_der: fn(&[u8]) -> EncodingKey) -> Option<EncodingKey> {
    let key = PrivateKeyDer::from_pem_slice(spec.key.expose().as_bytes()).ok()?;
    Some(of_der(key.secret_der()))
}

/// Has the process sign JWTs with `ring`. Who embeds lakefeed may have installed another provider
/// before; then that one signs.
fn use_ring() {
    static RING: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| Ok(Box::new(RingSigner::new(*algorithm, key)?)),
        verifier_factory: |_, _| Err(new_error(ErrorKind::UnsupportedAlgorithm)),
        key_utils: KeyUtils::new_unimplemented(),
    };
    if CryptoProvider::try_get_default().is_none() {
        // Another thread may have been first.
        RING.install_default().unwrap_or(());
    }
}

enum RingSigner {
    Rsa(Box<RsaKeyPair>),
    Ecdsa(Box<EcdsaKeyPair>),
    Hmac(hmac::Key),
}

impl RingSigner {
    fn new(algorithm: Algorithm, key: &EncodingKey) -> JwtResult<Self> {
        let der = key.as_bytes();
        let rejected = |_| new_error(ErrorKind::InvalidKeyFormat);
        Ok(match algorithm {
            Algorithm::RS256 => {
                let pair = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der));
                Self::Rsa(Box::new(pair.map_err(rejected)?))
            }
            Algorithm::ES256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &SystemRandom::new());
                Self::Ecdsa(Box::new(pair.map_err(rejected)?))
            }
            Algorithm::HS256 => Self::Hmac(hmac::Key::new(hmac::HMAC_SHA256, der)),
            _ => return Err(new_error(ErrorKind::UnsupportedAlgorithm)),
        })
    }

    fn signature(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Unspecified> {
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)?;
                Ok(signature)
            }
            Self::Ecdsa(pair) => Ok(pair.sign(&SystemRandom::new(), message)?.as_ref().to_vec()),
            Self::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
        }
    }
}

impl Signer<Vec<u8>> for RingSigner {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, SignatureError> {
        self.signature(message).map_err(|_| SignatureError::new())
    }
}

impl JwtSigner for RingSigner {
    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa(_) => Algorithm::RS256,
            Self::Ecdsa(_) => Algorithm::ES256,
            Self::Hmac(_) => Algorithm::HS256,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use rustls_pki_types::SubjectPublicKeyInfoDer;
    use serde_json::Value;

    use super::*;

    const RSA: &str = include_str!("../../../../tests/keys/rsa.pem");
    const EC: &str = include_str!("../../../../tests/keys/ec.pem");

    fn jwt(algorithm: JwtAlgorithm, key: &str) -> JwtSpec {
        let claims = json!({"iss": "me", "aud": "them"});
        JwtSpec {
            algorithm,
            key: Secret::new(key),
            key_id: Some("k1".to_owned()),
            claims: claims.as_object().unwrap().clone(),
            lifetime: Duration::from_secs(600),
            token_url: None,
        }
    }

    /// The parts of a token: its header and claims, what is signed, and the signature.
    fn parts(token: &Secret) -> (Value, Value, &[u8], Vec<u8>) {
        let (message, signature) = token.expose().rsplit_once('.').unwrap();
        let (header, claims) = message.split_once('.').unwrap();
        let bytes = |part| URL_SAFE_NO_PAD.decode(part).unwrap();
        let json = |part| serde_json::from_slice(&bytes(part)).unwrap();
        (json(header), json(claims), message.as_bytes(), bytes(signature))
    }

    /// The key within a `SubjectPublicKeyInfo`: what a bit string holds up to the end.
    fn public_key(pem: &[u8], start: &[u8]) -> Vec<u8> {
        let info = SubjectPublicKeyInfoDer::from_pem_slice(pem).unwrap();
        let place = info.windows(start.len()).position(|window| window == start).unwrap();
        info[place + 1..].to_vec()
    }

    #[test]
    fn a_jwt_carries_its_claims_and_is_signed() {
        let token = sign(&jwt(JwtAlgorithm::Hs256, "shared"), 1_795_392_000).unwrap();
        let (header, claims, message, signature) = parts(&token);
        assert_eq!(header, json!({"typ": "JWT", "alg": "HS256", "kid": "k1"}));
        assert_eq!(claims, json!({"iss": "me", "aud": "them", "iat": 1_795_392_000, "exp": 1_795_392_600}));
        let verified = |secret| hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), message, &signature).is_ok();
        assert!(verified(b"shared") && !verified(b"other"));
    }

    /// Checked with the public keys, as an API does.
    #[test]
    fn rsa_and_elliptic_keys_sign() {
        let rsa = public_key(include_bytes!("../../../../tests/keys/rsa.pub.pem"), &[0, 0x30, 0x82]);
        let ec = public_key(include_bytes!("../../../../tests/keys/ec.pub.pem"), &[0, 4]);
        let verified = |algorithm, key: &str, public: &[u8]| {
            let token = sign(&jwt(algorithm, key), 1_795_392_000).unwrap();
            let (header, claims, message, signature) = parts(&token);
            assert_eq!(claims["iss"], "me");
            let is_valid = match algorithm {
                JwtAlgorithm::Rs256 => {
                    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public).verify(message, &signature).is_ok()
                }
                _ => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public).verify(message, &signature).is_ok(),
            };
            (header["alg"].as_str().unwrap().to_owned(), is_valid)
        };
        for (algorithm, key, public, expected) in [
            (JwtAlgorithm::Rs256, RSA, &rsa, ("RS256", true)),
            (JwtAlgorithm::Rs256, &RSA.replace('\n', "\r\n"), &rsa, ("RS256", true)),
            (JwtAlgorithm::Es256, EC, &ec, ("ES256", true)),
            (JwtAlgorithm::Es256, &format!("a comment\n{EC}"), &ec, ("ES256", true)),
            (JwtAlgorithm::Rs256, RSA, &ec, ("RS256", false)),
        ] {
            let (name, is_valid) = verified(algorithm, key, public);
            assert_eq!((name.as_str(), is_valid), expected);
        }
    }

    #[test]
    fn a_key_of_another_kind_is_an_error_that_does_not_show_it() {
        let (cut, _) = RSA.split_at(RSA.len() / 2);
        for (algorithm, key) in [
            (JwtAlgorithm::Rs256, "hush-hush"),
            (JwtAlgorithm::Es256, "hush-hush"),
            (JwtAlgorithm::Rs256, EC),
            (JwtAlgorithm::Es256, RSA),
            (JwtAlgorithm::Rs256, cut),
            (JwtAlgorithm::Hs256, ""),
        ] {
            let error = sign(&jwt(algorithm, key), 0).unwrap_err();
            assert!(error.to_string().contains("not a key for the algorithm"), "{error:?}");
            assert!(key.get(..8).is_none_or(|start| !format!("{error:?}").contains(start)), "{error:?}");
        }
    }
}
