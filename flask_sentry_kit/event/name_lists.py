"""Word lists for names: words that mark a value as secret, and words that mark it as harmless.

This module is data only. ``secret_names`` compares names with it.
"""

from __future__ import annotations

from typing import Final

SENSITIVE_PARTS: Final = (
    # Matched anywhere in a name without its punctuation: X-Api-Key and apiKey are "apikey".
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "authorization",
    "authorisation",
    "credential",
    "cookie",
    "csrf",
    "xsrf",
    "sessionid",
    "sessid",
    "sessionkey",
    "creditcard",
    "debitcard",
    "cardnumber",
    "cardnum",
    "cardno",
    "ccnum",
    "ccno",
    "securitycode",
    "sentrydsn",
    "accountnumber",
    "acctnum",
    "routingnumber",
    "bankaccount",
    "socialsecurity",
    "socialinsurance",
    "nationalinsurance",
    "maidenname",
    "mnemonic",
    "samlresponse",
    "samlrequest",
    "samlart",
    "codeverifier",
    "oauthverifier",
    "keymaterial",
    "sharedaccess",
    "connectionstring",
    "connstr",
    "hmac",
    "passw0rd",
    "passwrd",
    "passwort",
    "pasword",
    "passwrod",
    "pswd",
    "passkey",
    "driverslicense",
    "driverlicense",
    "primaryaccount",
    "subscriptionkey",
    "trackdata",
    "sortcode",
    "challengeanswer",
    "clientprincipal",
    "publickeypin",
    "recoveryphrase",
    "seedphrase",
    "backupphrase",
)

SENSITIVE_WORDS: Final = frozenset(
    # Matched as a whole word of a name: "card" is in card_holder, not in discard or cardinal.
    """
    autologin blz castgc luks nir pats privkey rememberme sshpriv utr
    aadhaar aadhar acct aspxauth auth authcode authentication authkey bban bearer bsb card cbu
    ccv clabe cpf crds cred creds credz cryptogram csc curp cvc cvn cvv dpop hotp htpasswd iban
    itin jks jwe jws jwt keystore mfa mpin mtan nino otc otp otpauth pan pass passport passwords
    paswd pat pfx pgpass pin pincode pkcs preshared psk psswd psw pswrd puk pw pwd pword pwrd
    sas scrt sekrit sid sig signature skey ssn tan tfa tkn tok totp tpin twofa upin wif xpriv
    xprv
    """.split()
)

SENSITIVE_NAMES: Final = frozenset(
    # Matched as the whole name: OAuth's ?code=, a session. error_code and session_length are shown.
    """
    assertion code ein salt seed sess session sig signature tin verifier webhook wresult
    clientassertion samlassertion aba pepper answerto
    """.split()
)

FOREIGN_PARTS: Final = (
    # Words for password, secret and similar in the kit's languages and related ones. Accents
    # and case are ignored.
    *"kennwort geheim losungswort zugangsdaten zugangscode steuernummer steuerid".split(),
    *"kontonummer sozialversicherungsnummer geheimzahl prufziffer kreditkarte".split(),
    *"motdepasse motpasse jeton codesecret phrasesecrete numerodecompte numcompte".split(),
    *"cartebancaire numerodecarte contrasena contrasenia contrasenya palabraclave".split(),
    *"secreto clavesecreta claveacceso clavedeacceso tarjetadecredito numerodetarjeta".split(),
    *"parolachiave paroladordine segreto codicesegreto codicefiscale cartadicredito".split(),
    *"wachtwoord toegangscode burgerservicenummer haslo tajne sekret numerkonta".split(),
    *"senha palavrapasse segredo chavesecreta chavedeacesso cartaodecredito".split(),
    *"sifre gizli parola lozinka salasana adgangskode kodeord losenord passord".split(),
    *"comptebancaire numerocompte clerib cuentabancaria numerodecuenta numerocuenta".split(),
    *"koddostupa kodoveslovo kontobankowe rachunekbankowy".split(),
    *"heslo jelszo katasandi matkhau sandi".split(),
    *"пароль секрет таємн тайна ключдоступа кодовоеслово кодовеслово токен пинкод".split(),
    *"パスワード パスフレーズ 秘密 暗証番号 合言葉 シークレット トークン あいことば".split(),
    *"비밀번호 암호 비밀 패스워드 시크릿 토큰 인증번호".split(),
    *"密码 密碼 口令 机密 機密 密钥 密鑰 令牌 验证码 暗号 秘钥".split(),
    *"كلمةالمرور كلمةمرور كلمةالسر كلمةسر رمزالمرور الرقمالسري رقمسري باسورد".split(),
    *"סיסמה סיסמא סיסמת ססמה ססמא סודי קודסודי אסימון".split(),
    *"κωδικος πασσγουορντ รหัสผ่าน पासवर्ड".split(),
    *"hasla парол كلماتالمرور كلماتالسر".split(),
    *"認証コード 確認コード パスコード 인증코드 패스코드 비번".split(),
    *"인증번호 验证密码 验证代码 驗證碼 私钥 私鑰 通行码 الرقمالسري رمزسري رمزالتحقق".split(),
    *"codigodeseguranca codigodeseguridad credenciales credenziali credenciais".split(),
    *"bankleitzahl kontonr steuernr rekeningnr numerodesecuritesociale numsecu".split(),
)

FOREIGN_WORDS: Final = (
    # Short ones match only as whole words: "mdp" is French, "سر" is part of many Arabic words.
    *"mdp parol klyuch kluch mima himitsu sisma pasuwado bimil bimilbeonho amho".split(),
    *"rib clave claves sir kod kodu hemmelig tajny tajna passe bsn nif dni rut".split(),
    *"سر السر سري سرية סוד הסוד пин тан 秘 密 ключ".split(),
)

KEYS: Final = frozenset(
    """
    priv pairing network bitlocker luks filevault wifi
    ably access account activation admin aes agent aiza algolia anthropic api app application
    auth authorization aws azure backup blinding braintree cd cert chiave cipher client
    cloudinary consumer cookie cookies crypt crypto csrf curve curve25519 customer data datadog
    db dd decrypt decryption deploy deployment derived des developer disc disk dkim dvd ec ecdsa
    ed ed25519 enc encrypt encrypting encryption fernet firebase function functions gateway gcp
    github gitlab google gpg hashing heroku hmac host hosting ingest ingestion instrumentation
    integration jose jwk jwt kms ldap licence license live mac mailchimp mailgun maps master
    merchant mfa nacl newrelic obfuscation openai otp pagerduty partner pass passwd password pay
    payment paypal pem pgp plaid plex preshared private prod product production proxy recaptcha
    recover recovery registration rest rollbar root rsa s3 salt sas seal sealing secp256k1
    secret secure security seed segment sendgrid sentry serial server service session shared
    shopify sign signature signed signing sms sodium software sse ssh ssl sso storage stream
    stripe subscriber subscription symmetric sync tenant tls totp twilio unlock unseal vapid
    vault wallet webhook webhooks wg wireguard wrap wrapped wrapping write x25519 x448 x509
    """.split()
)

CODES: Final = frozenset(
    """
    sharing share linking link step steps checked
    access account activation alarm auth authentication authorisation authorization backup
    bypass card challenge claim collection confirm confirmation delivery device door email
    emergency entrance entry fa factor gate gift giftcard handover invitation invite join locker
    login logon magic mail mfa oauth onetime otp pair pairing parcel pattern phone pickup pin
    recover recovery redeem redemption register registration reset restore sca scratch secret
    security setup signin signup sms ssn temp temporary text time totp twofa twofactor unlock
    user validation verification verify voice web
    """.split()
)

QUALIFIED: Final = {
    # Words that make the next noun a secret: recovery_code is a secret, error_code is not.
    **dict.fromkeys(("key", "keys", "keyring"), KEYS),
    **dict.fromkeys(("code", "codes"), CODES),
    **dict.fromkeys(
        ("link", "links", "url", "uri"),
        frozenset(
            """
            activation confirm confirmation forgot invitation invite login magic presigned
            recovery reset sas signed signin unlock verification verify webhook onetime
            """.split()
        ),
    ),
    **dict.fromkeys(
        ("number", "no", "num", "nr", "nbr", "numbers"),
        frozenset(
            """
            aba account acct bank card cc credit debit insurance iban id identity licence license
            medicare national nhs pan passport payroll pin routing sin social ssn tax taxpayer vat
            transit benefit medicaid security bsn personal
            """.split()
        ),
    ),
    **dict.fromkeys(("id", "identifier", "ids"), frozenset("tax taxpayer national sess".split())),
    **dict.fromkeys(
        ("answer", "answers", "antwort"),
        frozenset("challenge hint question recovery secret security reset verification".split()),
    ),
    **dict.fromkeys(
        ("phrase", "words", "wordlist"),
        frozenset("backup memo mnemonic pass recovery secret seed wallet code".split()),
    ),
    **dict.fromkeys(
        ("seed", "seeds"),
        frozenset(
            """
            backup qr bip
            crypto encryption hd hotp key master mfa mnemonic otp private recovery secret totp
            wallet bip39 ed25519 signing
            """.split()
        ),
    ),
    "response": frozenset(
        "saml recaptcha captcha hcaptcha turnstile challenge webauthn authenticator".split()
    ),
    **dict.fromkeys(
        ("state", "nonce"),
        frozenset("oauth oauth2 oidc openid auth authorization payment method saml sso".split()),
    ),
    "nonce": frozenset(
        """
        apple auth authorization braintree card client google id login method oauth oauth2 oidc
        openid payment paypal request saml server session signin square sso token wallet wp
        """.split()
    ),
    "pattern": frozenset("unlock lock swipe".split()),
    **dict.fromkeys(("banque", "guichet"), frozenset(("code",))),
    **dict.fromkeys(("string", "str"), frozenset("connection conn connect".split())),
    "assertion": frozenset("client saml jwt".split()),
    **dict.fromkeys(
        ("ticket", "granting"), frozenset("auth cas kerberos login proxy service sso".split())
    ),
    "verifier": frozenset("code oauth pkce password srp challenge".split()),
    "salt": frozenset("app crypto hash secret security session signing encryption".split()),
    "session": frozenset(
        "admin asp auth ci django flask laravel login php rails sso symfony user web".split()
    ),
    "account": frozenset("bank checking savings".split()),
    "routing": frozenset("bank aba ach".split()),
    "data": frozenset("magstripe track credential".split()),
    "certificate": frozenset(("client",)),
    "private": frozenset(
        """
        age dkim dsa ec ecdsa ed25519 gpg jwt key pem pgp rsa ssh ssl tls vapid wg wireguard x25519
        """.split()
    ),
    "shared": frozenset(("pre",)),
    "pepper": frozenset("password hash secret".split()),
    "webhook": frozenset("slack discord teams incoming mattermost chat zapier".split()),
    "pem": frozenset("private key client rsa".split()),
    "login": frozenset(("magic",)),
    "challenge": frozenset("webauthn fido fido2 passkey login auth".split()),
    "hash": frozenset("login user auth pin".split()),
    "priv": frozenset("ssh rsa wg key".split()),
    "pass": frozenset(
        """
        admin auth broker db email ftp http imap key ldap login mail my mysql new old pg proxy
        rabbit redis root smtp sql ssh store svc sys user usr wifi zip vpn
        """.split()
    ),
    "word": frozenset(("pass", "code")),
    "pw": frozenset(
        "admin db ftp ldap login mail my mysql new old root smtp ssh user usr wifi vpn".split()
    ),
    "pin": frozenset("atm card login my user txn transaction sim account".split()),
    "auth": frozenset("basic http my proxy user x digest".split()),
    "principal": frozenset(("client",)),
}
QUALIFIED_NOUNS: Final = frozenset(
    # The same written together: "recoverycode".
    first + noun
    for noun, before in QUALIFIED.items()
    for first in before
)

TAILS: Final = frozenset(
    # Words for properties of a secret that are harmless: its kind, state, size, time, place, rules.
    """
    accept accepted action actions activated active age alert alg algo algorithm allowed amount
    attempt attempts attribute audience available badge balance banner bits brand bucket budget
    category change changed changes charset check checked checks class color colour column
    complexity component config consent container cost count counter country counts created
    createdat currency date dates day days decorator delay delivery depth description design
    dialog dir directory disabled domain domains duration enabled encoding endpoint endpoints
    entropy error errors event events exception exists expected expiration expired expires
    expiry factory failed failure failures family feature fee field fieldname fields file
    filename folder font footer format formats found generator guide handler hasher height help
    helper host hostname hour hours html httponly icon image index interval invalid issued
    issuer iterations kind kinds label labels language last4 lastfour layout leeway left len
    length level levels library lifetime limit limits locale location manager matches max
    maximum maxlength menu message messages method methods middleware min minimum minlength
    minute minutes missing mixin mode model modified module msg name names needed network notice
    notification offset only optional options order overlap owner page pages parser path percent
    period permission permissions placeholder plugin policies policy port position preference
    preferences prefix present price provider providers question questions quota rank rate ratio
    reader reason recipe refreshed regex region remaining renewed required requirement
    requirements result results retries revoked role roles rotated rotation rotations rounds
    route rule rules samesite santa scheme scope scopes score screen second seconds section
    secure seen sent serializer settings since size skin source stage stat state states
    statistics stats status step strategy strength style suffix supported tab table template
    tests theme time timeout times timestamp timezone title tooltip total totals tries ttl
    tutorial type types unit units until updated uri url usage used valid validation validator
    validators validity verified version versions view views visibility visible warning warnings
    weight widget width window years
    """.split()
)

VALUE_WORDS: Final = frozenset(
    # After a secret's name these words mean the secret itself, with any words between.
    """
    again b64 base64 bytes confirm confirmation digest enc encoded encrypted hash hashed hex
    hmac input key new old pem plain plaintext raw repeat salt signature str string text value
    values val
    """.split()
)

HEADS: Final = frozenset(
    # Words that make a yes/no question about a secret, or a count: has_password, max_tokens.
    """
    accept accepts allow allows are ask average avg can count disable disables enable enables
    force forgot forgotten had has have hide hides include includes is isset keep max maximum
    may min minimum must nb need needs num offers prompts require required requires save should
    show shows skip support supports total use uses using wants was will with without
    """.split()
)

COUNTED_HEADS: Final = frozenset(
    # Words for tokens that language models count: prompt_tokens, cached_tokens.
    """
    audio avg cached completion consumed context estimated eos generated image input max min
    num output pad prompt reasoning remaining special stop text thinking total unique used bad
    """.split()
)

UNITS: Final = frozenset("at by in utc gmt ms s sec secs on ago from for per the of to".split())

COMMON_WORDS: Final = {
    # Words that also have a harmless meaning. They match only at the end of a name or before a
    # word for a value, and not after the words listed here.
    "pass": frozenset(
        """
        all backstage band battle boarding bus by day event festival first free guest hall high
        low lift monthly multi museum one over park press rail render season second shadow single
        ski test train travel two vip weekly
        """.split()
    ),
    "pin": frozenset(
        """
        board bowling cotter data drop gpio hair input lapel led location map output push rolling
        safety trigger clock reset echo
        """.split()
    ),
    "pan": frozenset("bread camera cake frying peter roasting sauce zoom map image".split()),
    "tan": frozenset("arc inverse math np".split()),
    "sid": frozenset(("vicious",)),
}
CARDS: Final = frozenset(
    """
    birthday blog business christmas dash draw face feature flash game graphics greeting index
    info kanban layout library loyalty magic membership memory menu network news playing post
    pricing product profile punch race rate red report score sd sim sound stat summary team
    testimonial time trading trello video weather wild yellow
    """.split()
)
CARD_WORDS: Final = frozenset("id ids holder_id grid list body header footer uuid".split())
NUMBERS: Final = frozenset("number no num nr nbr id code reference".split())
TAXES: Final = frozenset("tax taxpayer passport steuer fiscal ssn".split())
SPECIAL_TOKENS: Final = frozenset(
    "bos cls decoder end eos image mask pad sep special start stop unk vision audio".split()
)
EXPIRY: Final = frozenset("date exp expiration expires expiry month year".split())
USERS: Final = frozenset(
    "admin backend blueprint client group id module user userid username uuid view email".split()
)
SIGNED: Final = frozenset(
    "call email forum function gene genetic html key mail method time type threat virus".split()
)
PLAIN_STEMS: Final = (
    "tokeniz", "tokenis", "secretar", "secretion", "passwordless", "cookiecutter",
    "cookbook", "passenger", "accountability",
)  # fmt: skip
