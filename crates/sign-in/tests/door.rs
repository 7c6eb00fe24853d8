//! What a provider says, and which of it is taken.

mod house;

use expect_test::{Expect, expect};
use house::{House, Keys, NOW, encoded};
use mask::Secret;
use serde_json::{Value as Json, json};
use sign_in::{
    Answer, Attempt, Claims, Discovery, Expected, KeySet, Provider, Settings, SignInError, prove,
};

const ISSUER: &str = "https://login.example.com";

fn claims() -> Json {
    json!({
        "iss": ISSUER, "aud": "launchway", "sub": "1", "nonce": "n", "iat": NOW, "exp": NOW + 300,
    })
}

fn judged(keys: &KeySet, token: &str) -> String {
    let expected = Expected { issuer: ISSUER, client: "launchway", nonce: "n", now: NOW };
    match prove(token, keys, &expected) {
        Ok(claims) => format!("proven: {}", claims.subject()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_token_is_proven_or_refused_and_why() {
    let keys = Keys::new();
    let set = KeySet::read(keys.public().to_string().as_bytes()).unwrap();
    assert_eq!(set.count(), 2);
    let (rs, es) =
        (json!({ "alg": "RS256", "kid": "one" }), json!({ "alg": "ES256", "kid": "two" }));
    let mut said = String::new();
    let mut check = |what: &str, token: &str| {
        said.push_str(&format!("{what}: {}\n", judged(&set, token)));
    };
    let with = |name: &str, value: Json| {
        let mut claims = claims();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value;
        }
        keys.token(&rs, &claims)
    };
    check("RS256", &keys.token(&rs, &claims()));
    check("ES256", &keys.token(&es, &claims()));
    check("without kid", &keys.token(&json!({ "alg": "RS256" }), &claims()));
    for alg in ["none", "None", "HS256", "HS512", "RS512", "PS256", "EdDSA", ""] {
        check(alg, &keys.token(&json!({ "alg": alg, "kid": "one" }), &claims()));
    }
    check("no alg", &keys.token(&json!({ "kid": "one" }), &claims()));
    check("other kid", &keys.token(&json!({ "alg": "RS256", "kid": "three" }), &claims()));
    check(
        "kid of the other kind",
        &keys.token(&json!({ "alg": "ES256", "kid": "one" }), &claims()),
    );
    check("kid is a number", &keys.token(&json!({ "alg": "RS256", "kid": 1 }), &claims()));
    check("crit", &keys.token(&json!({ "alg": "RS256", "kid": "one", "crit": ["x"] }), &claims()));
    check("another's key", &Keys::new().token(&rs, &claims()));
    let token = keys.token(&rs, &claims());
    let (head, rest) = token.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let other = encoded(json!({ "sub": "2" }).to_string());
    check("other words", &format!("{head}.{other}.{signature}"));
    check("no signature", &format!("{head}.{other}."));
    check("two parts", &format!("{head}.{other}"));
    check("four parts", &format!("{token}.x"));
    check("padded", &format!("{token}="));
    check("no token", "x");
    check("too long", &format!("{token}{}", "x".repeat(64 << 10)));
    check("a list", &keys.token(&rs, &json!([1])));
    check("no sub", &with("sub", Json::Null));
    check("empty sub", &with("sub", json!("")));
    check("long sub", &with("sub", json!("x".repeat(256))));
    check("two lines of sub", &with("sub", json!("a\nb")));
    check("other iss", &with("iss", json!("https://login.example.com/")));
    check("other aud", &with("aud", json!("other")));
    check("no aud", &with("aud", Json::Null));
    check("aud in a list", &with("aud", json!(["launchway"])));
    check("aud among others", &with("aud", json!(["launchway", "other"])));
    check("aud in a long list", &with("aud", json!(vec!["launchway"; 17])));
    check("other azp", &with("azp", json!("other")));
    let mut both = claims();
    (both["aud"], both["azp"]) = (json!(["launchway", "other"]), json!("launchway"));
    check("aud among others, azp", &keys.token(&rs, &both));
    check("no exp", &with("exp", Json::Null));
    check("exp a minute ago", &with("exp", json!(NOW - 60)));
    check("exp less than a minute ago", &with("exp", json!(NOW - 59)));
    check("exp with a fraction", &with("exp", json!(NOW as f64 + 0.5)));
    check("exp as text", &with("exp", json!("2050")));
    check("exp below zero", &with("exp", json!(-1)));
    check("no iat", &with("iat", Json::Null));
    check("iat in a minute", &with("iat", json!(NOW + 60)));
    check("iat later", &with("iat", json!(NOW + 61)));
    check("iat eleven minutes ago", &with("iat", json!(NOW - 660)));
    check("iat before that", &with("iat", json!(NOW - 661)));
    check("nbf later", &with("nbf", json!(NOW + 61)));
    check("nbf as text", &with("nbf", json!("now")));
    check("other nonce", &with("nonce", json!("m")));
    check("no nonce", &with("nonce", Json::Null));
    expect![[r#"
        RS256: proven: 1
        ES256: proven: 1
        without kid: proven: 1
        none: it is signed neither with RS256 nor with ES256
        None: it is signed neither with RS256 nor with ES256
        HS256: it is signed neither with RS256 nor with ES256
        HS512: it is signed neither with RS256 nor with ES256
        RS512: it is signed neither with RS256 nor with ES256
        PS256: it is signed neither with RS256 nor with ES256
        EdDSA: it is signed neither with RS256 nor with ES256
        : it is signed neither with RS256 nor with ES256
        no alg: it is signed neither with RS256 nor with ES256
        other kid: it is signed with a key that the provider does not publish
        kid of the other kind: it is signed with a key that the provider does not publish
        kid is a number: it is no signed token that can be read
        crit: it has a header that must be understood, and is not
        another's key: its signature is not right
        other words: its signature is not right
        no signature: its signature is not right
        two parts: it is no signed token that can be read
        four parts: it is no signed token that can be read
        padded: it is no signed token that can be read
        no token: it is no signed token that can be read
        too long: it is no signed token that can be read
        a list: it is no signed token that can be read
        no sub: it says nobody's name (`sub`)
        empty sub: it says nobody's name (`sub`)
        long sub: it says nobody's name (`sub`)
        two lines of sub: it says nobody's name (`sub`)
        other iss: it is of another issuer (`iss`)
        other aud: it is for another client (`aud`, `azp`)
        no aud: it is for another client (`aud`, `azp`)
        aud in a list: proven: 1
        aud among others: it is for another client (`aud`, `azp`)
        aud in a long list: it is for another client (`aud`, `azp`)
        other azp: it is for another client (`aud`, `azp`)
        aud among others, azp: proven: 1
        no exp: it has expired (`exp`)
        exp a minute ago: it has expired (`exp`)
        exp less than a minute ago: proven: 1
        exp with a fraction: proven: 1
        exp as text: it has expired (`exp`)
        exp below zero: it has expired (`exp`)
        no iat: it was made too long ago, or is not good yet (`iat`, `nbf`); is a clock wrong?
        iat in a minute: proven: 1
        iat later: it was made too long ago, or is not good yet (`iat`, `nbf`); is a clock wrong?
        iat eleven minutes ago: proven: 1
        iat before that: it was made too long ago, or is not good yet (`iat`, `nbf`); is a clock wrong?
        nbf later: it was made too long ago, or is not good yet (`iat`, `nbf`); is a clock wrong?
        nbf as text: it was made too long ago, or is not good yet (`iat`, `nbf`); is a clock wrong?
        other nonce: it is of another sign-in (`nonce`)
        no nonce: it is of another sign-in (`nonce`)
    "#]].assert_eq(&said);
}

#[test]
fn keys_that_cannot_prove_are_not_there() {
    let whole = Keys::new().public();
    let count = |change: &dyn Fn(&mut Json)| {
        let mut set = whole.clone();
        change(&mut set);
        KeySet::read(set.to_string().as_bytes()).map(|it| it.count()).map_err(|it| it.to_string())
    };
    assert_eq!(count(&|_| {}), Ok(2));
    for (name, value) in [
        ("use", json!("enc")),
        ("alg", json!("RS512")),
        ("kty", json!("oct")),
        ("key_ops", json!(["sign"])),
        ("n", json!(encoded([1; 128]))),
        ("n", json!(encoded(vec![1; 2048]))),
        ("n", json!("?")),
        ("e", json!("")),
        ("e", json!(encoded([1; 9]))),
    ] {
        assert_eq!(count(&|set| set["keys"][0][name] = value.clone()), Ok(1), "{name} {value}");
    }
    for (name, value) in [
        ("crv", json!("P-384")),
        ("alg", json!("ES384")),
        ("x", json!(encoded([1; 31]))),
        ("y", Json::Null),
    ] {
        assert_eq!(count(&|set| set["keys"][1][name] = value.clone()), Ok(1), "{name} {value}");
    }
    let many: Vec<Json> = (0..101).map(|_| whole["keys"][0].clone()).collect();
    assert_eq!(
        count(&|set| set["keys"] = json!(many)),
        Err("its key set has more than 100 keys".to_owned())
    );
    assert_eq!(count(&|set| *set = json!({})), Err("its key set has no keys".to_owned()));
    assert!(KeySet::read(b"<html>").is_err());
}

#[test]
fn a_discovery_document_is_of_the_issuer_and_names_what_can_be_asked() {
    let check = |issuer: &str, change: &dyn Fn(&mut Json), expected: Expect| {
        let mut document = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/auth"),
            "token_endpoint": "https://elsewhere.example.com/token",
            "jwks_uri": format!("{issuer}/keys"),
        });
        change(&mut document);
        let read = Discovery::read(issuer, document.to_string().as_bytes());
        expected.assert_eq(&read.map_or_else(|it| it.to_string(), |_| "taken".to_owned()));
    };
    check(ISSUER, &|_| {}, expect!["taken"]);
    check(
        ISSUER,
        &|it| it["issuer"] = json!("https://login.example.com/"),
        expect![
            "its discovery is of the issuer `https://login.example.com/`, and not of `https://login.example.com`"
        ],
    );
    check(
        ISSUER,
        &|it| it["issuer"] = json!("https://LOGIN.example.com"),
        expect![
            "its discovery is of the issuer `https://LOGIN.example.com`, and not of `https://login.example.com`"
        ],
    );
    check(
        ISSUER,
        &|it| it["issuer"] = Json::Null,
        expect!["its discovery is of the issuer ``, and not of `https://login.example.com`"],
    );
    check(
        ISSUER,
        &|it| it["token_endpoint"] = Json::Null,
        expect!["its discovery has no token_endpoint"],
    );
    check(
        ISSUER,
        &|it| it["token_endpoint"] = json!("http://login.example.com/token"),
        expect!["its token_endpoint is no address of https that can be used"],
    );
    check(
        ISSUER,
        &|it| it["jwks_uri"] = json!("http://127.0.0.1/keys"),
        expect!["its jwks_uri is no address of https that can be used"],
    );
    check(
        ISSUER,
        &|it| it["jwks_uri"] = json!("file:///etc/passwd"),
        expect!["its jwks_uri is no address of https that can be used"],
    );
    check(
        ISSUER,
        &|it| it["jwks_uri"] = json!("https://user@example.com/"),
        expect!["its jwks_uri is no address of https that can be used"],
    );
    check(
        ISSUER,
        &|it| it["userinfo_endpoint"] = json!(7),
        expect!["its userinfo_endpoint is no address of https that can be used"],
    );
    check(
        ISSUER,
        &|it| it["authorization_endpoint"] = json!("https://a.example/\r\nx: y"),
        expect!["its authorization_endpoint is no address of https that can be used"],
    );
    check(
        ISSUER,
        &|it| it["authorization_endpoint"] = json!("javascript:alert(1)"),
        expect!["its authorization_endpoint is no address of https that can be used"],
    );
    check(
        ISSUER,
        &|it| it["code_challenge_methods_supported"] = json!(["plain"]),
        expect!["its code_challenge_methods_supported has none of S256"],
    );
    check(
        ISSUER,
        &|it| it["response_types_supported"] = json!(["id_token"]),
        expect!["its response_types_supported has none of code"],
    );
    check(
        ISSUER,
        &|it| it["id_token_signing_alg_values_supported"] = json!(["HS256"]),
        expect!["its id_token_signing_alg_values_supported has none of RS256, ES256"],
    );
    check(
        ISSUER,
        &|it| it["response_types_supported"] = json!("code"),
        expect!["its response_types_supported is no list, or a very long one"],
    );
    // On this machine without encryption: itself, and no other port.
    let here = "http://127.0.0.1:9000";
    check(here, &|_| {}, expect!["taken"]);
    check(
        here,
        &|it| it["jwks_uri"] = json!("http://127.0.0.1:9001/keys"),
        expect!["its jwks_uri is no address of https that can be used"],
    );
    assert!(Discovery::read(ISSUER, b"[").is_err());
}

/// A provider of ours that asks the house, as a client with a secret or without.
fn provider(house: &House, secret: Option<&str>, claims: &[&str]) -> Provider {
    Provider::new(Settings {
        issuer: house.url.clone(),
        client: "launch way".to_owned(),
        secret: secret.map(Secret::new),
        asks: vec!["groups".to_owned()],
        claims: claims.iter().map(|it| (*it).to_owned()).collect(),
        back: "https://ci.example.com/sign-in/return".to_owned(),
    })
    .expect("it can be one")
}

/// One value of an address.
fn value<'a>(address: &'a str, name: &str) -> &'a str {
    let found = address.split(['?', '&']).find_map(|it| it.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {name} in {address}"))
}

/// Begins, lets the house prove who it is, and ends.
fn whole(
    house: &House,
    provider: &Provider,
    keys: &Keys,
    kid: &str,
    now: u64,
) -> Result<Claims, SignInError> {
    let begun = provider.begin("/runs", now)?;
    let nonce = value(&begun.address, "nonce");
    let said = json!({
        "iss": house.url, "aud": "launch way", "sub": "1", "nonce": nonce, "iat": now, "exp": now + 60,
    });
    let token = keys.token(&json!({ "alg": "RS256", "kid": kid }), &said);
    house.says("/token", 200, json!({ "id_token": token, "access_token": "opens" }));
    let query = format!("code=c%2Bd&state={}", value(&begun.address, "state"));
    provider.finish(&begun.cookie, &query, now).map(|it| it.claims)
}

fn open() -> (House, Keys) {
    let (house, keys) = (House::open(), Keys::new());
    house.says("/.well-known/openid-configuration", 200, house.discovery());
    house.says("/keys", 200, keys.public());
    (house, keys)
}

#[test]
fn a_code_is_exchanged_with_its_verifier_and_keys_are_asked_for_rarely() {
    let (house, keys) = open();
    let client = provider(&house, None, &[]);
    assert_eq!(house.heard(), Vec::<String>::new());
    let begun = client.begin("/runs", NOW).unwrap();
    let attempt = Attempt::read(&begun.cookie).unwrap();
    assert_eq!(attempt.next, "/runs");
    let address = begun.address.replace(&house.url, "LOGIN");
    let shown = ["state", "nonce", "code_challenge"]
        .iter()
        .fold(address.clone(), |it, name| it.replace(value(&address, name), &format!("<{name}>")));
    expect!["LOGIN/auth?response_type=code&client_id=launch%20way&redirect_uri=https%3A%2F%2Fci.example.com%2Fsign-in%2Freturn&scope=openid%20groups&state=<state>&nonce=<nonce>&code_challenge=<code_challenge>&code_challenge_method=S256"].assert_eq(&shown);
    whole(&house, &client, &keys, "one", NOW).unwrap();
    let heard = house.heard().join("\n");
    let verifier = value(&heard, "code_verifier").lines().next().unwrap().to_owned();
    assert_eq!(verifier.len(), 43);
    expect![[r#"
        GET /.well-known/openid-configuration
        POST /token grant_type=authorization_code&code=c%2Bd&redirect_uri=https%3A%2F%2Fci.example.com%2Fsign-in%2Freturn&code_verifier=<verifier>&client_id=launch%20way
        GET /keys"#]].assert_eq(&heard.replace(&verifier, "<verifier>"));
    // An hour long nothing but codes is asked for; an unknown key has the keys asked for, once a minute.
    whole(&house, &client, &keys, "one", NOW + 3_000).unwrap();
    assert_eq!(house.heard().len(), 1);
    let paths = |heard: Vec<String>| -> Vec<String> {
        heard.iter().map(|it| it.split(' ').nth(1).unwrap().to_owned()).collect()
    };
    for (after, expected) in
        [(3_001, &["/token", "/keys"][..]), (3_060, &["/token"]), (3_061, &["/token", "/keys"])]
    {
        let error = whole(&house, &client, &keys, "new", NOW + after).unwrap_err();
        assert!(error.to_string().contains("does not publish"), "{error}");
        assert_eq!(paths(house.heard()), expected, "{after}");
    }
    let mut set = keys.public();
    set["keys"][0]["kid"] = json!("new");
    house.says("/keys", 200, set);
    whole(&house, &client, &keys, "new", NOW + 3_130).unwrap();
    assert!(whole(&house, &client, &keys, "one", NOW + 3_200).is_err());
    house.heard();
    whole(&house, &client, &keys, "new", NOW + 9_000).unwrap();
    assert_eq!(paths(house.heard()), ["/.well-known/openid-configuration", "/token", "/keys"]);
}

#[test]
fn a_secret_goes_where_the_provider_takes_it() {
    let (house, keys) = open();
    let exchanged = |secret: Option<&str>| {
        let client = provider(&house, secret, &[]);
        whole(&house, &client, &keys, "one", NOW).unwrap();
        let heard = house.heard();
        let sent = heard.iter().find(|it| it.starts_with("POST")).unwrap().clone();
        let verifier = value(&sent, "code_verifier").to_owned();
        sent.replace(&verifier, "<verifier>")
    };
    expect!["POST /token [Basic bGF1bmNoJTIwd2F5OnMlM0FlJTIwY3JldCUyQg==] grant_type=authorization_code&code=c%2Bd&redirect_uri=https%3A%2F%2Fci.example.com%2Fsign-in%2Freturn&code_verifier=<verifier>"].assert_eq(&exchanged(Some("s:e cret+")));
    let mut document = house.discovery();
    document["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
    house.says("/.well-known/openid-configuration", 200, document);
    expect!["POST /token grant_type=authorization_code&code=c%2Bd&redirect_uri=https%3A%2F%2Fci.example.com%2Fsign-in%2Freturn&code_verifier=<verifier>&client_id=launch%20way&client_secret=s%3Ae%20cret%2B"].assert_eq(&exchanged(Some("s:e cret+")));
    let client = provider(&house, Some("hunter2"), &[]);
    assert!(!format!("{client:?}").contains("hunter2"));
}

#[test]
fn what_is_missing_is_asked_for_and_is_of_the_same_person() {
    let (house, keys) = open();
    let mut document = house.discovery();
    document["userinfo_endpoint"] = json!(format!("{}/me", house.url));
    house.says("/.well-known/openid-configuration", 200, document);
    let client = provider(&house, None, &["groups", "email"]);
    house.says(
        "/me",
        200,
        json!({ "sub": "1", "groups": ["a"], "email": "x@y", "email_verified": true }),
    );
    let claims = whole(&house, &client, &keys, "one", NOW).unwrap();
    assert!(claims.has("groups", "a") && claims.has("email", "x@y"));
    assert!(house.heard().contains(&"GET /me [Bearer opens]".to_owned()));
    let refused = |status: u16, body: Json| {
        house.says("/me", status, body);
        whole(&house, &client, &keys, "one", NOW).unwrap_err().to_string().replace(&house.url, "")
    };
    expect!["it speaks of somebody else (`userinfo`)"]
        .assert_eq(&refused(200, json!({ "sub": "2", "groups": ["a"] })));
    expect!["it speaks of somebody else (`userinfo`)"].assert_eq(&refused(200, json!("eyJ")));
    expect!["127.0.0.1 answered 401"].assert_eq(&refused(401, json!({})));
    // Whoever has all that is looked for in the token is not asked about.
    house.heard();
    whole(&house, &provider(&house, None, &["sub"]), &keys, "one", NOW).unwrap();
    assert!(!house.heard().iter().any(|it| it.contains("/me")));
}

#[test]
fn a_provider_that_is_wrong_or_away_is_told_from_one_that_says_no() {
    let (house, keys) = open();
    let tried = |path: &str, status: u16, body: String| {
        let before = house.answers.lock().unwrap().clone();
        house.says(path, status, body);
        let client = provider(&house, None, &[]);
        let error = whole_without_token(&house, &client, &keys).unwrap_err();
        *house.answers.lock().unwrap() = before;
        match error {
            SignInError::Away(why) => format!("away: {why}"),
            SignInError::Wrong(why) => format!("wrong: {why}"),
            other => format!("no: {other}"),
        }
    };
    let discovery = "/.well-known/openid-configuration";
    let elsewhere = |url: &str| {
        let mut document = house.discovery();
        document["token_endpoint"] = json!(url);
        document.to_string()
    };
    let mut said: Vec<String> = vec![
        tried(discovery, 500, String::new()),
        tried(discovery, 404, String::new()),
        tried(discovery, 302, String::new()),
        tried(discovery, 200, "<html>".to_owned()),
        tried(discovery, 200, " ".repeat((256 << 10) + 1)),
        tried(discovery, 200, elsewhere("https://10.0.0.1/token")),
        tried(discovery, 200, elsewhere("https://169.254.169.254/token")),
        tried("/token", 503, String::new()),
        tried("/token", 302, String::new()),
        tried(
            "/token",
            400,
            json!({ "error": "invalid_grant", "error_description": "<b>x" }).to_string(),
        ),
        tried("/token", 401, json!({ "error": "in<valid>\n_client" }).to_string()),
        tried("/token", 200, json!({ "access_token": "x" }).to_string()),
        tried("/token", 200, json!({ "id_token": "x" }).to_string()),
        tried("/token", 200, "x".to_owned()),
        tried("/keys", 200, "x".to_owned()),
    ];
    // Whoever does not answer is left alone for a moment.
    house.says(discovery, 500, String::new());
    let client = provider(&house, None, &[]);
    house.heard();
    for after in [0, 4, 5] {
        assert!(client.begin("/", NOW + after).is_err());
    }
    assert_eq!(house.heard().len(), 2);
    let nobody = Provider::new(Settings {
        issuer: "http://127.0.0.1:1".to_owned(),
        client: "x".to_owned(),
        secret: None,
        asks: Vec::new(),
        claims: Vec::new(),
        back: String::new(),
    });
    said.push(nobody.unwrap().begin("/", NOW).unwrap_err().to_string());
    expect![[r#"
        away: 127.0.0.1 answered 500
        wrong: 127.0.0.1 answered 404
        wrong: 127.0.0.1 answered 302; a redirect is not followed
        wrong: its discovery is no JSON
        wrong: 127.0.0.1 answers with too much
        wrong: 10.0.0.1 has an address that is not public
        wrong: 169.254.169.254 has an address that nothing is sent to: link-local, or of no one host
        away: 127.0.0.1 answered 503
        wrong: 127.0.0.1 answered 302; a redirect is not followed
        no: the provider says no: invalid_grant
        no: the provider says no: invalid_client
        wrong: it gave no `id_token`
        no: the provider's token proves nothing: it is no signed token that can be read
        wrong: its token endpoint answers with no JSON
        wrong: its key set is no JSON
        127.0.0.1 refuses connections"#]]
    .assert_eq(&said.join("\n"));
}

/// The same, with what the house says at `/token` already.
fn whole_without_token(
    house: &House,
    provider: &Provider,
    keys: &Keys,
) -> Result<Claims, SignInError> {
    let begun = provider.begin("/runs", NOW)?;
    let is_set = house.is_asked_at("/token");
    if !is_set {
        let said = keys.token(&json!({ "alg": "RS256", "kid": "one" }), &claims());
        house.says("/token", 200, json!({ "id_token": said }));
    }
    let query = format!("code=c&state={}", value(&begun.address, "state"));
    provider.finish(&begun.cookie, &query, NOW).map(|it| it.claims)
}

#[test]
fn an_answer_is_of_the_browser_that_asked_and_of_the_provider_that_was() {
    let random = |letter: u8| encoded([letter; 32]);
    let (state, nonce, verifier) = (random(1), random(2), random(3));
    let cookie = format!("{NOW}.{state}.{nonce}.{verifier}.{}", encoded("/runs?x=1"));
    let attempt = Attempt::read(&cookie).unwrap();
    assert_eq!(attempt.cookie(), cookie);
    for wrong in [
        "".to_owned(),
        cookie.replace(&nonce, "short"),
        format!("{cookie}.x"),
        format!("x{cookie}"),
        cookie.replace(&encoded("/runs?x=1"), &encoded([0xff, 0xfe])),
        format!("{NOW}.{state}.{nonce}.{verifier}.{}", encoded("x".repeat(4000))),
    ] {
        assert_eq!(Attempt::read(&wrong), None, "{wrong}");
    }
    let check = |query: &str, names_itself: bool, now: u64, expected: Expect| {
        let query = query.replace("STATE", &state);
        let code = attempt.code(&Answer::read(&query), (ISSUER, names_itself), now);
        expected.assert_eq(&code.unwrap_or_else(|error| format!("- {error}")));
    };
    let iss = "iss=https%3A%2F%2Flogin.example.com";
    check("code=a+b%2Fc&state=STATE", false, NOW, expect!["a b/c"]);
    check(&format!("code=x&state=STATE&{iss}"), true, NOW + 600, expect!["x"]);
    check(
        "code=x&state=STATE",
        false,
        NOW + 601,
        expect!["- this browser began no sign-in that this answers, or more than ten minutes ago"],
    );
    check(
        "code=x&state=other",
        false,
        NOW,
        expect!["- this browser began no sign-in that this answers, or more than ten minutes ago"],
    );
    check(
        "code=x",
        false,
        NOW,
        expect!["- this browser began no sign-in that this answers, or more than ten minutes ago"],
    );
    check(
        "code=x&state=STATE&state=STATE",
        false,
        NOW,
        expect!["- this browser began no sign-in that this answers, or more than ten minutes ago"],
    );
    check("code=x&state=STATE", true, NOW, expect!["- the answer is of another provider (`iss`)"]);
    check(
        "code=x&state=STATE&iss=https%3A%2F%2Fevil.example",
        false,
        NOW,
        expect!["- the answer is of another provider (`iss`)"],
    );
    check(
        "error=access_denied&state=STATE",
        false,
        NOW,
        expect!["- the provider says no: access_denied"],
    );
    check("error=%3Cb%3E&code=x&state=STATE", false, NOW, expect!["- the provider says no: b"]);
    check("state=STATE", false, NOW, expect!["- the answer has no code"]);
    check("code=&state=STATE", false, NOW, expect!["- the answer has no code"]);
    check("code=a&code=b&state=STATE", false, NOW, expect!["- the answer has no code"]);
    check(
        &format!("code={}&state=STATE", "x".repeat(8193)),
        false,
        NOW,
        expect!["- the answer has no code"],
    );
    check("code=%ff%fe&state=STATE", false, NOW, expect!["- the answer has no code"]);
}
