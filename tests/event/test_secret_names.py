"""Sensitive names: the name decides, whatever the value contains."""

from __future__ import annotations

import pytest

from flask_sentry_kit.event.name_lists import FOREIGN_PARTS, FOREIGN_WORDS, SENSITIVE_PARTS
from flask_sentry_kit.event.scrub import Scrubber

SECRET_NAMES = """
    password passwd user_password passwordConfirm new_password password2
    PASSWORD_HASH db_pass DBPASS smtp_password X-Api-Key apikey api_key signing_key
    signingKey SIGNINGKEY encryption_key Ocp-Apim-Subscription-Key
    X-Hub-Signature-256 Stripe-Signature X-Slack-Signature X-Shopify-Hmac-Sha256
    X-Twilio-Signature signature sig X-Amz-Signature X-Amz-Security-Token
    X-Amz-Credential one_time_code onetimecode otp_code recovery_code recoveryCodes
    backup_codes verification_code verificationCode reset_code invite_code
    magic_link magicLink reset_link security_answer securityAnswer seed_phrase
    mnemonic wallet_seed account_number accountNumber routing_number tax_id
    tax_number creds pat code_verifier SAMLResponse saml_response oauth_state
    oauth_nonce contraseña contrasena hasło Şifre şifre пароль パスワード 비밀번호 密码 סיסמה
    كلمة_المرور كلمةالمرور mot_de_passe motDePasse mdp wachtwoord senha Passwort
    Kennwort geheimnis access_token refresh_token id_token id_token_hint csrf_token
    X-CSRFToken csrfmiddlewaretoken session_id sessionid PHPSESSID JSESSIONID
    connect.sid session user_session card_number cardNumber cc_number ccnum cvv cvc2
    card_cvc security_code pin user_pin atm_pin mpin pan card card_holder
    card_expiry iban ssn social_security_number jwt bearer auth Authorization
    Proxy-Authorization HTTP_AUTHORIZATION authToken auth_code device_code user_code
    client_secret clientSecret secret secret_key SECRET_KEY secret_key_base
    AWS_SECRET_ACCESS_KEY aws_access_key_id private_key privateKey ssh_key pgp_key
    master_key license_key storage_key AccountKey SharedAccessKey x-functions-key
    write_key webhook_secret webhook_url SLACK_WEBHOOK_URL 2fa 2fa_code
    two_factor_code mfa_code totp_secret passphrase passcode pass passkey psk hmac
    hmac_key salt password_salt connection_string dsn_password SENTRY_DSN cookie
    Set-Cookie session_cookie g-recaptcha-response oauth_verifier client_assertion
    credential credentials passport_number drivers_license sort_code maiden_name
    mothers_maiden_name userpwd pwd rootpw pword psw user[password]
    user[password][confirm] password[] data.user.token X-GitHub-OTP
    X-Goog-Iap-Jwt-Assertion payment_method_nonce paymentMethodNonce
    vapid_private_key secret_id password_hint gift_card_code aes_256_key
    jwt_signing_key key_encryption_key service_ticket clave segreto parola sekret
    segredo gizli секрет 秘密 암호 口令 סוד sid totp otp authorization_code auth_key
    consumer_key unlock_code activation_code password_field_value token_value
    session_key product_key pre_shared_key preshared_key preshared wg_private
    ssh_private email_code answer_to_security_question tax_identification_number
    taxpayer_id_number tax_file_number auth_tkn tkn sas pepper dkim_key ed25519_key
    registration_key cd_key signing_key_v2 phone_code pickup_code unlock_pattern
    mother_maiden_name rib bsb numero_de_cuenta compte_bancaire credz ASPXAUTH
    .ASPXAUTH ci_session payment_nonce_value pfx parol kod_dostupa _wp_nonce
""".split()

HARMLESS_NAMES = """
    keyboard monkey primary_key foreign_key cache_key sort_key public_key key keys
    keyword hotkey turkey max_tokens token_type card_count gift_card_design
    password_changed_at cookie_consent has_password author authority discard
    cardinal passenger passed bypass compass spinner pinned company error_code
    status_code zip_code country_code postal_code promo_code session_length
    session_count tokenizer prompt_tokens completion_tokens total_tokens token_count
    token_limit token_expires_in token_expires_at password_policy password_strength
    password_min_length passwordless secretary cookie_domain cookie_name
    SESSION_COOKIE_NAME cookie_banner cookies_accepted auth_method auth_type
    auth_provider authorized oauth_provider mfa_enabled otp_enabled 2fa_enabled
    boarding_pass season_pass pass_rate pass_count map_pin pin_color pan_zoom
    scorecard dashboard wildcard business_card card_type card_brand card_id
    signature_version email_signature function_signature signature_required seeder
    random_seed secret_name secret_version token_url token_endpoint
    authorization_url csrf_enabled is_secret use_cookies require_password
    forgot_password idempotency_key partition_key s3_key object_key row_key
    translation_key routing_key key_id kid state nonce order_number phone_number
    invoice_number serial_number number account account_id account_name account_type
    tax_rate tax_amount design assigned signal designer signature_image desktop
    option shopping_cart pandas panel japan expand spin pinterest accesskeys_help
    webhook_event webhook_id subscription_id subscription_plan tokens_per_second
    password_reset_sent_at last_password_change security_question answer answers
    recovery_email verification_status invite_count reset_at session_timeout
    session_idle_timeout authors authentication_method AUTH_USER_MODEL
    passport_country compassion cookbook secretariat pins tokenCount tokenType
    maxTokens maxtokens tokentype passwordChangedAt cardcount keystroke keyCode
    key_path key_name encryption_key_id kms_key_id ssh_public_key api_key_count
    api_key_name apiKeyName bank_name bank_account_type code_version language_code
    codec decode encoded source_code qr_code barcode author_id co_author
    pass_through passing_grade credentials_path credit_limit credit_score
    card_layout cards_per_page payment_method reset_count auth_user_id authenticated
    is_authenticated login_count tanks tangent titan urban meta_keywords keywords
    X-Tokens-Left pad_token_id eos_token_id token_ids credentials_checked_at
    cvv_result cvc_check tokens_left cookies_seen cvv_result_code
    X-RateLimit-Remaining-Tokens hash_key password_field password_field_name
""".split()

_scrubber = Scrubber()


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_name_that_says_secret_is_hidden(name: str) -> None:
    """Secrets go by many names: keys that sign, codes that let in, numbers of accounts."""
    assert _scrubber.hides(name)


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_a_name_about_a_secret_is_shown(name: str) -> None:
    """A count, kind, state, time or limit of a secret is none, nor is a word that contains one."""
    assert not _scrubber.hides(name)


@pytest.mark.parametrize("name", [*FOREIGN_PARTS, *FOREIGN_WORDS])
def test_words_of_other_languages_are_known(name: str) -> None:
    """Letters of any script count, whatever their case."""
    assert _scrubber.hides(name)
    assert _scrubber.hides(name.upper())


@pytest.mark.parametrize("part", [*SENSITIVE_PARTS, *FOREIGN_PARTS])
def test_a_part_is_found_inside_a_word(part: str) -> None:
    """A listed part makes a name sensitive wherever it begins, however short it is."""
    assert _scrubber.hides(f"zq{part}")


@pytest.mark.parametrize("added", ["größe", "Schuh_Größe", "рост", "shoe_size", "X-Colour"])
def test_names_that_the_app_adds_may_have_any_letters(added: str) -> None:
    """sanitize_keys are matched whatever their case and punctuation, in every script."""
    scrubber = Scrubber([added])
    assert scrubber.hides(added)
    assert scrubber.hides(f"my-{added.upper()}")
    assert scrubber.hides(f"my {added.replace('_', '-')} 2")
    assert not scrubber.hides("page")


@pytest.mark.parametrize(
    "name", ["\ud800", "pass\udfffword", "", "123", "_", "-" * 300, "x" * 5000]
)
def test_no_name_raises(name: str) -> None:
    """Half surrogates, empty and endless names are compared with the lists like all others."""
    assert _scrubber.hides(name) in (True, False)
