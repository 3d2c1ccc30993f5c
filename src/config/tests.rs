use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::draft::read as read_sections;
use super::reader::Gathered;
use super::*;
use crate::cli::check::migrate::migrated;
use crate::clock::Clock;
use crate::services::Service;
use crate::stub::pki::{Leaf, Role, Usage, for_tests, pem, pkcs12};

const EXAMPLE: &str = include_str!("../../deploy/hjemmel.example.toml");

/// A folder in which everything that the example names exists, and the example with its paths made relative to it.
fn set_up() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    for_tests().write(&dir.path().join("certs"), None).unwrap();
    let system = for_tests().credentials(Role::GatewayClient).unwrap();
    std::fs::write(dir.path().join("certs/gateway-client.p12"), pkcs12(system, "system", "demo").unwrap()).unwrap();
    for folder in ["audit", "policies"] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
    }
    for file in [
        "sts-metadata.xml",
        "audit/checkpoint.key",
        "audit/pseudonym.key",
        "audit/auditors.pub",
        "policies/terminaladgang-6.toml",
    ] {
        std::fs::write(dir.path().join(file), "x").unwrap();
    }
    (dir, EXAMPLE.replace("/etc/hjemmel/", "").replace("/var/lib/hjemmel/", ""))
}

type Config = super::Config<Service>;
type Draft = super::Draft<Service>;

fn read(text: &str, folder: &Path, now: Timestamp) -> (Option<Config>, Gathered) {
    let (sections, gathered) = read_sections::<Service>(text, folder, now);
    (sections.whole(), gathered)
}

fn now() -> Timestamp {
    Clock::system().now()
}

/// Loads `text` in `dir`, and gives the report's text where it is refused.
fn refused(dir: &tempfile::TempDir, text: &str) -> String {
    let file = dir.path().join("hjemmel.toml");
    std::fs::write(&file, text).unwrap();
    load::<Service>(&file, now()).expect_err("must be refused").to_string()
}

/// Every setting's value, by its name.
fn settings(dir: &tempfile::TempDir, text: &str) -> BTreeMap<String, (String, bool)> {
    let (config, gathered) = read(text, dir.path(), now());
    let problems = gathered.problems.into_inner();
    assert!(config.is_some() && problems.is_empty(), "{problems:#?}");
    gathered.seen.into_inner().into_iter().map(|seen| (seen.setting, (seen.value, seen.by_default))).collect()
}

#[test]
fn the_example_is_a_good_configuration() {
    let (dir, text) = set_up();
    let file = dir.path().join("hjemmel.toml");
    std::fs::write(&file, &text).unwrap();
    let loaded = load::<Service>(&file, now()).unwrap();
    assert!(loaded.warnings.problems().is_empty());
    let config = loaded.config;
    assert_eq!(config.services["terminaladgang-6"].offer().service_uuid.to_string(), "3053ec89-31fe-4206-878b-bba6783d7a88");
    assert_eq!(config.limits, EdgeLimits::default());
    assert_eq!(config.messages, MessageLimits::default());
    assert_eq!(config.system.thumbprint(), for_tests().credentials(Role::GatewayClient).unwrap().thumbprint());
}

#[test]
fn the_example_names_every_setting_and_every_default_it_states_is_the_one_in_the_code() {
    let (dir, text) = set_up();
    let by_default = settings(&dir, &text);
    let stated = text.lines().map(|line| {
        let setting = line.strip_prefix("# ").filter(|rest| {
            rest.split_once(" = ").is_some_and(|(key, _)| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
        });
        setting.unwrap_or(line).to_owned() + "\n"
    });
    let stated: String = stated.collect();
    let by_example = settings(&dir, &stated);

    let mut without_default = Vec::new();
    for (setting, (value, left_out)) in &by_example {
        assert_eq!(&by_default[setting].0, value, "{setting}: the example states another default than the code");
        if *left_out {
            without_default.push(setting.as_str());
        }
    }
    // What may be left out and has no default stands in the example as an example.
    assert_eq!(
        without_default,
        [
            "api.address",
            "console.address",
            "console.assets",
            "console.contact",
            "listen.ocsp_response",
            "revocation.cache",
            "service.terminaladgang-6.privilege_role",
            "store.client_certificate",
            "store.client_key",
            "store.direct_url",
            "store.password_file",
            "store.tls_roots",
            "test_numbers",
            "tokens.issuer",
        ]
    );
    let examples = [
        "address",
        "ocsp_response",
        "cache",
        "privilege_role",
        "issuer",
        "pkcs12",
        "password_file",
        "public_url",
        "assets",
        "contact",
    ];
    for setting in examples.into_iter().chain(["direct_url", "client_certificate", "client_key", "tls_roots"]) {
        assert!(text.contains(&format!("\n#example: {setting} = ")), "{setting}");
    }
}

/// The example with a section written out that it shows as an example.
fn with_section(dir: &tempfile::TempDir, text: &str, name: &str, files: &[&str]) -> String {
    for file in files {
        std::fs::write(dir.path().join(file), "x").unwrap();
    }
    let (before, section) = text.split_once(&format!("#example: [{name}]")).unwrap();
    let (section, after) = section.split_once("\n\n").unwrap();
    format!("{before}[{name}]{}\n\n{after}", section.replace("#example: ", ""))
}

fn with_objects(dir: &tempfile::TempDir, text: &str) -> String {
    with_section(dir, text, "objects", &["content.key", "s3.id", "s3.secret"])
}

#[test]
fn the_example_of_an_sftp_server_states_the_defaults() {
    let (dir, text) = set_up();
    let files = ["sftp-ed25519.key", "sftp-ecdsa.key"];
    std::fs::create_dir(dir.path().join("staging")).unwrap();
    let written = with_section(&dir, &text, "sftp", &files);
    assert!(settings(&dir, &written).iter().all(|(setting, (_, left_out))| !setting.starts_with("sftp.") || !left_out));
    let (config, _) = read(&written, dir.path(), now());
    let sftp = config.unwrap().sftp.unwrap();
    assert_eq!(sftp.limits, SftpLimits::default());
    assert_eq!((sftp.largest_file, sftp.wait_for_data), (2_000_000_000, std::time::Duration::from_secs(15 * 60)));
    assert_eq!(sftp.host_keys, files.map(|file| dir.path().join(file)));
    let none = written.replace(r#"["sftp-ed25519.key", "sftp-ecdsa.key"]"#, "[]");
    assert!(refused(&dir, &none).contains("hjemmel sftp host-key new"));
}

#[test]
fn the_example_of_campus_states_the_defaults_and_no_address_on_the_link_is_taken() {
    let (dir, text) = set_up();
    let written = with_section(&dir, &text, "campus", &["campus.token"]);
    let by_example = settings(&dir, &written);
    for (setting, (value, left_out)) in by_example.iter().filter(|(setting, _)| setting.starts_with("campus.")) {
        assert!(!left_out, "{setting} is not in the example");
        let key = setting.trim_start_matches("campus.");
        if !["address", "roots", "token"].contains(&key) {
            let lines = written.split_once("[campus]").unwrap();
            let rest: String = lines
                .1
                .lines()
                .filter(|line| !line.starts_with(&format!("{key} = ")))
                .map(|line| line.to_owned() + "\n")
                .collect();
            let without = format!("{}[campus]{rest}", lines.0);
            let (_, gathered) = read(&without, dir.path(), now());
            let by_default = gathered.seen.into_inner().into_iter().find(|seen| seen.setting == *setting).unwrap().value;
            assert_eq!(&by_default, value, "{setting}: the example states another default than the code");
        }
    }
    for address in ["https://169.254.169.254/scim", "https://[fe80::1]/scim", "https://campus.example/scim?x=1"] {
        let told = refused(&dir, &written.replace("https://campus.example/scim/v2", address));
        assert!(told.contains("campus.address"), "{told}");
    }
    let told = refused(&dir, &written.replace("https://campus.example/scim/v2", "http://campus.example/scim/v2"));
    assert!(told.contains("campus.address"), "{told}");
}

#[test]
fn the_example_of_log_on_is_good_and_each_slip_in_it_is_told() {
    use crate::signon::{person::Assurance, provider::Answers};
    let (dir, text) = set_up();
    let text = with_section(&dir, &text, "console.saml", &["nemlogin.xml"]).replace("console-saml", "gateway-client");
    let (config, gathered) = read(&text, dir.path(), now());
    assert!(gathered.problems.borrow().is_empty(), "{:#?}", gathered.problems.borrow());
    let console = config.unwrap().console;
    assert_eq!(console.one_time_links, crate::config::OneTimeLinks::Off, "no link beside an identity provider");
    let saml = console.saml.unwrap();
    assert_eq!((saml.assurance, saml.allow_cbc, saml.contexts.len()), (Assurance::Substantial, false, 0));
    assert_eq!(
        saml.roles,
        [("https://hjemmel.example/roles/usersystemrole/signatory/1".to_owned(), crate::users::rights::Role::Signatory)]
    );
    assert_eq!(saml.providers["nemlogin"].answers, Answers::ForAll);
    for (from, to, said) in [
        ("\"substantial\"", "\"betydelig\"", "is not known"),
        ("\"signatory = https", "\"underskriver = https", "a role is one of"),
        ("\"signatory = https://hjemmel.example/roles/usersystemrole/signatory/1\"", "\"signatory\"", "is not written as"),
        ("operators = \"99999999\"", "operators = \"9999\"", "is not a CVR number"),
        ("authorities = \"all\"", "authorities = [\"1\"]", "is not a CVR number"),
        ("authorities = \"all\"", "authorities = \"some\"", "is neither \"all\" nor a list"),
        ("professional/uuid/persistent", "cprNumber", "which the console never reads"),
        (
            "# one_time_links = \"operators\"",
            "one_time_links = \"operators\"\npublic_url = \"https://konsol.example.dk\"",
            "public_url names another",
        ),
        ("nemlogin.xml", "none.xml", "cannot be read"),
        ("allow_cbc", "allow_ecb", "is not a setting"),
    ] {
        let told = refused(&dir, &text.replace(from, to));
        assert!(told.contains(said), "{to}: {told}");
        assert!(!told.contains("has no provider"), "one with a slip in it is there: {to}: {told}");
    }
    let (before, provider) = text.split_once("[console.saml.provider.nemlogin]").unwrap();
    let (_, after) = provider.split_once("\n\n").unwrap();
    let told = refused(&dir, &format!("{before}\n\n{after}"));
    assert!(told.contains("has no provider"), "{told}");
}

#[test]
fn the_example_of_an_object_store_names_every_setting_and_their_defaults() {
    let (dir, text) = set_up();
    let written = with_objects(&dir, &text);
    let by_example = settings(&dir, &written);
    let mut given = Vec::new();
    for (setting, (value, left_out)) in by_example.iter().filter(|(setting, _)| setting.starts_with("objects.")) {
        assert!(!left_out, "{setting} is not in the example");
        let key = setting.trim_start_matches("objects.");
        let without: String =
            written.lines().filter(|line| !line.starts_with(&format!("{key} = "))).map(|line| line.to_owned() + "\n").collect();
        let (config, gathered) = read(&without, dir.path(), now());
        let by_default = gathered.seen.into_inner().into_iter().find(|seen| seen.setting == *setting).unwrap().value;
        match config.is_some() && key != "endpoint" && key != "roots" && key != "key" {
            true => assert_eq!(&by_default, value, "{setting}: the example states another default than the code"),
            false => given.push(key.to_owned()),
        }
    }
    assert_eq!(given, ["access_key_id", "endpoint", "key", "roots", "secret_access_key", "url"]);
}

#[test]
fn an_object_store_is_a_folder_or_a_bucket_reached_by_tls() {
    let (dir, text) = set_up();
    let text = with_objects(&dir, &text);
    let with = |from: &str, to: &str| text.replace(from, to);
    for (from, to, said) in [
        ("s3://hjemmel/exttest", "file:files", "objects.region: is not a setting"),
        ("s3://hjemmel/exttest", "/srv/files", "is not the place of an object store"),
        ("s3://hjemmel/exttest", "s3://Hjemmel", "is not the place of an object store"),
        ("s3://hjemmel/exttest", "s3://hjemmel/a//b", "is not the place of an object store"),
        ("https://s3.example", "http://s3.example", "is not an https address"),
        ("8388608", "1000", "is out of range"),
    ] {
        let told = refused(&dir, &with(from, to));
        assert!(told.contains(said), "{to}: {told}");
    }
}

#[test]
fn what_is_shown_of_a_configuration_holds_no_key() {
    let (dir, text) = set_up();
    let (config, _) = read(&text, dir.path(), now());
    let config = config.unwrap();
    let shown = format!("{config:?}");
    for credentials in [&config.listen.credentials, &config.system] {
        let key = credentials.key().secret_der();
        let numbers = format!("{:?}", &key[40..60]);
        for form in [crate::hex::encode(&key[40..60]), crate::signature::base64::encode(&key[39..60]), numbers] {
            let form = form.trim_matches(['[', ']']);
            assert!(!shown.contains(form) && !shown.contains(&form.to_uppercase()), "{form}");
        }
        assert!(shown.contains(&crate::hex::encode(&credentials.thumbprint())));
    }
}

#[test]
fn every_problem_comes_in_one_report_with_its_line_and_remedy() {
    let (dir, text) = set_up();
    let wrong = text
        .replace("udk_cvr = \"99999991\"", "udk_cvr = \"9999999\"")
        .replace("# clock_skew = \"60s\"", "clock_skew = \"soon\"")
        .replace("# replay_capacity = 1000000", "replay_capacity = \"many\"")
        .replace("certs/gateway-client.key.pem", "certs/index-server.key.pem")
        .replace("certs/gateway-server.key.pem", "certs/none.key.pem")
        .replace("# bindings = [\"token\"]", "bindings = [\"token\", \"password\"]")
        .replace("# deadline = \"30s\"", "deadlin = \"30s\"")
        .replace("address = \"https://sts", "address = \"http://sts")
        .replace("entity_id = \"http://gateway.example/service", "#")
        .replace("# released_bytes = 8388608", "released_bytes = 0");
    let report = refused(&dir, &wrong);
    let line_of = |part: &str| wrong.lines().position(|line| line.contains(part)).unwrap() + 1;
    let expected = [
        (line_of("udk_cvr"), "service.terminaladgang-6.udk_cvr: is not a CVR number; write exactly eight digits"),
        (line_of("clock_skew ="), "clock_skew: is not a duration; write for instance"),
        (line_of("replay_capacity ="), "replay_capacity: is not a whole number; write it without quotes"),
        (line_of("certs/none.key.pem"), "listen.key: names"),
        (line_of("certs/gateway-client.pem"), "system.certificate: no certificate in"),
        (line_of("\"password\""), "service.terminaladgang-6.bindings: is not known; use \"token\" or \"authority-context\""),
        (
            line_of("[service.terminaladgang-6]"),
            "service.terminaladgang-6.entity_id: is missing; add entity_id in [service.terminaladgang-6]",
        ),
        (line_of("http://sts"), "sts.address: is not an https address; write for instance"),
        (line_of("deadlin ="), "peer.ydelsesindeks.deadlin: is not a setting; did you mean deadline?"),
        (line_of("released_bytes"), "limits.released_bytes: is out of range; use 65536 to 268435456"),
    ];
    for (line, text) in expected {
        assert!(report.contains(&format!("hjemmel.toml:{line}: {text}")), "{line} {text}\nin\n{report}");
    }
    assert_eq!(report.matches("hjemmel.toml:").count(), expected.len(), "{report}");
    assert!(report.contains("clock_skew = \"soon\"\n     |              ^^^^^^"), "the place is marked:\n{report}");
}

/// More calls under overload than before it would be a mistake in the file, and is not put right in silence.
#[test]
fn under_overload_no_more_calls_are_worked_on_than_otherwise() {
    let (dir, text) = set_up();
    let with = |line: &str| text.replace("# calls_per_processor = 8", line);
    let report = refused(&dir, &with("calls_per_processor = 4\ncalls_per_processor_overloaded = 5"));
    assert!(report.contains("limits.calls_per_processor_overloaded: is out of range; use 1 to 4"), "{report}");
    let limits = |text: &str| read(text, dir.path(), now()).0.unwrap().limits;
    assert_eq!(limits(&with("calls_per_processor = 1")).calls_per_processor_overloaded, 1, "the usual two would be more");
    assert_eq!(limits(&with("calls_per_processor = 4")).calls_per_processor_overloaded, 2);
}

#[test]
fn each_kind_of_fault_is_told_with_its_remedy() {
    let (dir, text) = set_up();
    let expired = for_tests()
        .issue(&Leaf {
            common_name: "Udløbet".to_owned(),
            organization: "Hjemmel".to_owned(),
            cvr: "99999990".to_owned(),
            uuid: "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b10fe".to_owned(),
            usage: Usage::System,
            not_before: now() - SignedDuration::from_hours(48 * 24),
            not_after: now() - SignedDuration::from_hours(24),
        })
        .unwrap();
    std::fs::write(dir.path().join("certs/expired.pem"), pem("CERTIFICATE", expired.leaf())).unwrap();
    std::fs::write(dir.path().join("certs/expired.key.pem"), pem("PRIVATE KEY", expired.key().secret_der())).unwrap();
    std::fs::write(dir.path().join("password"), "forkert").unwrap();

    let cases = [
        ("environment = \"exttest\"", "environment = \"Prod 1\"", "is not an environment; use 1 to 32 of a-z"),
        ("environment = \"exttest\"", "environment = ", "is not TOML"),
        ("environment = \"exttest\"", "environment = \"\"", "is empty; write a value or remove the setting"),
        ("# log_format = \"json\"", "log_format = \"xml\"", "use \"json\" or \"text\""),
        ("# clock_skew = \"60s\"", "clock_skew = \"1h\"", "is out of range; use 0ns to 300s"),
        ("# clock_skew = \"60s\"", "clock_skew = \"-1s\"", "is negative"),
        ("# clock_skew = \"60s\"", "colour = \"red\"", "colour: is not a setting; remove it"),
        ("# address = \"127.0.0.1:9464\"", "address = \"0.0.0.0:9464\"", "is not a loopback address; use 127.0.0.1"),
        ("# address = \"0.0.0.0:8443\"", "address = \"8443\"", "is not an address and port"),
        ("certificate = \"certs/gateway-client.pem\"", "certificate = \"certs/nowhere.pem\"", "cannot be read"),
        ("certs/gateway-client", "certs/expired", "expired 20"),
        (
            "certificate = \"certs/gateway-client.pem\"",
            "pkcs12 = \"certs/gateway-client.p12\"\ncertificate = \"certs/gateway-client.pem\"",
            "is given beside pkcs12",
        ),
        (
            "certificate = \"certs/gateway-client.pem\"\nkey = \"certs/gateway-client.key.pem\"",
            "pkcs12 = \"certs/gateway-client.p12\"\npassword_file = \"password\"",
            "the password does not open",
        ),
        ("signing_certificates = [\"certs/index-signing.pem\"]", "signing_certificates = []", "is empty; name at least one"),
        ("certs/index-signing.pem", "certs/expired.pem", "holds only expired certificates"),
        (
            "certs/index-signing.pem",
            "certs/index-signing.key.pem",
            "holds a private key where none belongs: section 1 (PRIVATE KEY, line 1)",
        ),
        ("# service_uuid = \"3053ec89", "service_uuid = \"x3053ec89", "is not a UUID"),
        ("# path = \"/service", "path = \"service", "is not a path; begin it with /"),
        ("# bindings = [\"token\"]", "bindings = []", "is empty; name at least one"),
        ("# bindings = [\"token\"]", "bindings = [\"token\", \"token\"]", "names a choice twice"),
        ("# bindings = [\"token\"]", "bindings = \"token\"", "is not a list"),
        ("metadata = [\"sts-metadata.xml\"]", "", "name the security token service's SAML metadata"),
        ("metadata = [\"sts-metadata.xml\"]", "certificates = [\"certs/sts-signing.pem\"]", "tokens.issuer: is missing"),
        ("url = \"sqlite:agreements.sqlite\"", "url = \"sqlite:nowhere/agreements.sqlite\"", "whose folder does not exist"),
        (
            "url = \"sqlite:agreements.sqlite\"",
            "url = \"agreements.sqlite\"",
            "is neither sqlite: nor postgres:; write \"sqlite:PATH\"",
        ),
        ("url = \"sqlite:agreements.sqlite\"", "url = \"postgres://h:hemmelig@db/a\"", "password_file"),
        ("url = \"sqlite:agreements.sqlite\"", "url = \"postgres://h@db/a\"", "tls_roots: is missing"),
        (
            "url = \"sqlite:agreements.sqlite\"",
            "url = \"sqlite:agreements.sqlite\"\ndirect_url = \"postgres://h@db/a\"",
            "is of a PostgreSQL server",
        ),
        ("# max_staleness = \"15m\"", "max_staleness = \"5s\"", "is shorter than cache_ttl"),
        ("policies = \"policies\"", "policies = \"polices\"", "is not a folder; make it"),
        ("# policy = \"terminaladgang-6\"", "policy = \"terminaladgang-7\"", "correct policy or policies"),
        ("# retry = true", "retry = \"yes\"", "is not true or false"),
        ("udk_cvr = \"99999991\"", "udk_cvr = 99999991", "is integer; write a text in quotes"),
        ("# streams = 64", "streams = -1", "is out of range; use 1 to 1000"),
    ];
    for (from, to, says) in cases {
        assert!(text.contains(from), "{from}");
        let report = refused(&dir, &text.replace(from, to));
        assert!(report.contains(says), "{from} -> {to}: {report}");
    }
}

#[test]
fn a_table_written_as_a_value_is_told() {
    let (dir, text) = set_up();
    let report = refused(&dir, &text.replace("[admin]", "").replace("environment =", "admin = 7\nenvironment ="));
    assert!(report.contains("admin: is not a table; write it as [admin]"), "{report}");
}

#[test]
fn the_admin_listener_leaves_loopback_only_with_client_certificates() {
    let (dir, text) = set_up();
    let open = text
        .replace("# address = \"127.0.0.1:9464\"", "address = \"0.0.0.0:9464\"")
        .replace("# client_roots = []", "client_roots = [\"certs/root.pem\"]");
    assert_eq!(read(&open, dir.path(), now()).0.unwrap().admin.client_roots.len(), 1);
}

#[test]
fn pkcs12_with_its_password_serves_in_place_of_certificate_and_key() {
    let (dir, text) = set_up();
    std::fs::write(dir.path().join("password"), "demo\n").unwrap();
    let pkcs12 = text.replace(
        "certificate = \"certs/gateway-client.pem\"\nkey = \"certs/gateway-client.key.pem\"",
        "pkcs12 = \"certs/gateway-client.p12\"\npassword_file = \"password\"",
    );
    let config = read(&pkcs12, dir.path(), now()).0.unwrap();
    assert_eq!(config.system.thumbprint(), for_tests().credentials(Role::GatewayClient).unwrap().thumbprint());
}

#[test]
fn certificates_that_end_within_thirty_days_are_warned_of() {
    let (dir, text) = set_up();
    let file = dir.path().join("hjemmel.toml");
    std::fs::write(&file, &text).unwrap();
    let later = now() + SignedDuration::from_hours(65 * 24);
    let warnings = load::<Service>(&file, later).unwrap().warnings;
    let settings: Vec<_> = warnings.problems().iter().map(|warning| warning.setting.as_str()).collect();
    for setting in ["listen.certificate", "listen.client_roots", "system.certificate", "peer.ydelsesindeks.signing_certificates"]
    {
        assert!(settings.contains(&setting), "{setting} in {warnings}");
    }
    assert!(warnings.to_string().contains("order its successor now"), "{warnings}");
}

#[test]
fn a_file_that_is_not_there_is_told_like_any_other_problem() {
    let report = load::<Service>(Path::new("/nowhere/hjemmel.toml"), now()).unwrap_err();
    assert!(report.to_string().starts_with("/nowhere/hjemmel.toml: cannot be read"), "{report}");
}

#[test]
fn a_reload_keeps_what_only_a_restart_changes_and_names_it() {
    let (dir, text) = set_up();
    let loaded = |text: &str| read(text, dir.path(), now()).0.unwrap();
    let running = loaded(&text);
    let mut fresh = loaded(
        &text
            .replace("# timestamp_max_age = \"5m\"", "timestamp_max_age = \"30m\"")
            .replace("# address = \"0.0.0.0:8443\"", "address = \"127.0.0.1:9443\"")
            .replace("# client_roots = []", "client_roots = [\"certs/root.pem\"]")
            .replace("# streams = 64", "streams = 65")
            .replace("# checkpoint_interval = \"10s\"", "checkpoint_interval = \"11s\"")
            .replace("# retry = true", "retry = false"),
    );
    let kept = fresh.keep_until_restart(&running);
    assert_eq!(kept, ["timestamp_max_age", "listen.address", "admin.client_roots", "audit", "limits"]);
    assert_eq!(fresh.timestamp_max_age, running.timestamp_max_age);
    assert_eq!(fresh.listen.address, running.listen.address);
    assert!(fresh.admin.client_roots.is_empty() && fresh.limits == running.limits && fresh.audit == running.audit);
    assert!(!fresh.peers["ydelsesindeks"].reach.retry, "what may change does");
    assert!(fresh.keep_until_restart(&running).is_empty());
}

#[test]
fn a_problem_with_what_a_setting_names_stands_at_that_setting() {
    let (dir, text) = set_up();
    let file = dir.path().join("hjemmel.toml");
    std::fs::write(&file, &text).unwrap();
    let draft = Draft::open(&file, now());
    for (setting, text) in [("audit", "b"), ("tokens.metadata", "a"), ("service.terminaladgang-6.policy", "c")] {
        draft.problem(setting, text.to_owned());
    }
    let report = draft.finish().problems;
    let line_of = |part: &str| text.lines().position(|line| line.starts_with(part)).unwrap() + 1;
    let lines: Vec<_> = report.problems().iter().map(|problem| (problem.text.as_str(), report.line(problem).unwrap())).collect();
    assert_eq!(lines, [("c", line_of("[service.terminaladgang-6]")), ("a", line_of("metadata =")), ("b", line_of("[audit]"))]);
}

/// From the configuration's own folder, where its parent is the empty path.
#[test]
fn a_file_named_without_a_folder_is_read_in_the_present_one() {
    let draft = Draft::open(Path::new("hjemmel.toml"), now());
    assert_eq!(draft.folder(), Path::new("."));
    let folder = Draft::open(Path::new("/etc/hjemmel/hjemmel.toml"), now()).folder().to_owned();
    assert_eq!(folder, Path::new("/etc/hjemmel"));
}

#[test]
fn a_misspelt_name_is_told_once_with_its_line_and_the_right_one() {
    let (dir, text) = set_up();
    let cases = [
        ("public_url =", "pubilc_url =", "listen.pubilc_url: is not a setting; did you mean public_url?"),
        ("# connect_timeout = \"3s\"", "conect_timeout = \"3s\"", "did you mean connect_timeout?"),
        (
            "signing_certificates =",
            "signing_certs =",
            "peer.ydelsesindeks.signing_certs: is not a setting; did you mean signing_certificates?",
        ),
        ("\n[listen]", "\n[lisen]", "lisen: is not a section; did you mean [listen]?"),
        ("\n[store]", "\n[stores]", "stores: is not a section; did you mean [store]?"),
        ("\n[admin]", "\n[Admin]", "Admin: is not a section; did you mean [admin]?"),
        ("udk_cvr =", "udk_crv =", "udk_crv: is not a setting; did you mean udk_cvr?"),
        ("\n[peer.", "\n[pear.", "pear: is not a section; did you mean [peer]?"),
    ];
    for (from, to, says) in cases {
        let wrong = text.replacen(from, to, 1);
        let line = wrong.lines().position(|line| line.starts_with(to.trim_start())).unwrap() + 1;
        let report = refused(&dir, &wrong);
        assert!(report.contains(&format!("hjemmel.toml:{line}: ")) && report.contains(says), "{to}: {report}");
        assert_eq!(report.matches("hjemmel.toml:").count(), 1, "one slip is told once: {report}");
    }
}

/// The text from `from` on, up to `to`.
fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let (_, rest) = text.split_once(from).unwrap();
    rest.split_once(to).unwrap().0
}

#[test]
fn services_and_peers_are_told_apart_by_their_names() {
    let (dir, text) = set_up();
    let second = |changes: &[(&str, &str)]| {
        let mut section = format!("[service.second]{}", between(&text, "[service.terminaladgang-6]", "# Whose tokens"));
        for (from, to) in changes {
            assert!(section.contains(from), "{from}");
            section = section.replace(from, to);
        }
        // Its own tables go with it.
        let section = section.replace("[service.terminaladgang-6.", "[service.second.");
        format!("{text}\n{section}")
    };
    let told = [
        "service.terminaladgang-6.path: is /service/Ydelse/TerminalAdgang/6, which is the path of [service.second] too",
        "service.terminaladgang-6.service_uuid: is 3053ec89-31fe-4206-878b-bba6783d7a88, which is the UUID of [service.second] too",
        "service.terminaladgang-6.entity_id: is http://gateway.example/service/ydelse/terminaladgang/6, which is the entity id of",
    ];
    let report = refused(&dir, &second(&[]));
    for says in told {
        assert!(report.contains(says), "{says}\nin\n{report}");
    }
    assert_eq!(report.matches("hjemmel.toml:").count(), told.len(), "{report}");

    let own = [
        ("# path = \"/service/Ydelse/TerminalAdgang/6\"", "path = \"/second\""),
        ("# service_uuid = \"3053ec89", "service_uuid = \"4053ec89"),
        ("/service/ydelse/terminaladgang/6\"", "/second\""),
    ];
    let both = read(&second(&own), dir.path(), now()).0.unwrap();
    assert_eq!(both.services.keys().collect::<Vec<_>>(), ["second", "terminaladgang-6"]);

    let report = refused(&dir, &second(&[own.as_slice(), &[("peer = \"ydelsesindeks\"", "peer = \"ydelseindex\"")]].concat()));
    let says = "service.second.peer: names \"ydelseindex\", and there is no [peer.ydelseindex]; did you mean \"ydelsesindeks\"?";
    assert!(report.contains(says), "{report}");
}

#[test]
fn a_peer_that_no_service_names_is_warned_of() {
    let (dir, text) = set_up();
    let idle = format!("[peer.idle]{}", between(&text, "[peer.ydelsesindeks]", "# Connections to peers"));
    let file = dir.path().join("hjemmel.toml");
    std::fs::write(&file, format!("{text}\n{idle}")).unwrap();
    let warnings = load::<Service>(&file, now()).unwrap().warnings;
    let told: Vec<_> = warnings.problems().iter().map(|warning| (warning.setting.as_str(), warning.text.as_str())).collect();
    assert_eq!(told, [("peer.idle", "is named by no service; remove it, or name it as peer in a [service.NAME]")]);
}

#[test]
fn what_a_service_is_must_be_said_in_one_way() {
    let (dir, text) = set_up();
    let kind = "kind = \"terminaladgang\"";
    let cases = [
        ("", "kind: is missing; add kind or folder in [service.terminaladgang-6]"),
        ("kind = \"terminal\"", "kind: is not known; use \"terminaladgang\""),
        ("kind = \"terminaladgang\"\nfolder = \"policies\"", "folder: is given beside kind; a service has the one or the other"),
        ("folder = \"policies\"", "service.toml: It cannot be read"),
    ];
    for (instead, says) in cases {
        let report = refused(&dir, &text.replacen(kind, instead, 1));
        assert!(report.contains(says), "{says}\nin\n{report}");
    }
    let report = refused(&dir, &text.replace("[service.terminaladgang-6]", "[service.\"Terminal Adgang\"]"));
    assert!(report.contains("service.Terminal Adgang: is not a name; use 1 to 64 letters of a-z"), "{report}");
    let report = refused(&dir, &text.replace("peer.ydelsesindeks", "peer.sts").replace("\"ydelsesindeks\"", "\"sts\""));
    assert!(report.contains("peer.sts: has a name that the gateway's metrics use themselves; choose another"), "{report}");
}

/// The file of before services and peers had names: one line for each setting that moved, and nothing that follows from it.
#[test]
fn a_setting_of_before_says_where_it_went() {
    let (dir, text) = set_up();
    let present = between(&text, "[service.terminaladgang-6]", "# Whose tokens");
    let service = "[service]\nentity_id = \"http://gateway.example/x\"\npath = \"/x\"\n\n[policy]\ndirectory = \"policies\"\n";
    let old = text.replace(&format!("[service.terminaladgang-6]{present}"), service).replace("[peer.ydelsesindeks]", "[index]");
    let old = format!("udk_cvr = \"99999991\"\n{old}");
    let report = refused(&dir, &old);
    let moved = [
        ("udk_cvr = ", "udk_cvr: has moved; write it in [service.NAME]"),
        ("entity_id = \"http://gateway.example/x\"", "service.entity_id: has moved; write it in [service.NAME]"),
        ("path = \"/x\"", "service.path: has moved; write it in [service.NAME]"),
        ("[policy]", "policy: has moved; write policies = \"FOLDER\" and policy = \"NAME\" in [service.NAME]"),
        ("[index]", "index: has moved; write [peer.NAME], and peer = \"NAME\" in [service.NAME]"),
    ];
    for (part, says) in moved {
        let line = old.lines().position(|line| line.starts_with(part)).unwrap() + 1;
        assert!(report.contains(&format!("hjemmel.toml:{line}: {says}")), "{says}\nin\n{report}");
    }
    assert_eq!(report.matches("hjemmel.toml:").count(), moved.len(), "{report}");
    assert_eq!(report.matches("`hjemmel check --migrate FILE` writes the new file").count(), moved.len(), "{report}");
}

#[test]
fn each_setting_of_before_says_where_it_went_by_itself() {
    let (dir, present) = set_up();
    let named = format!("[service.terminaladgang-6]{}", between(&present, "[service.terminaladgang-6]", "# Whose tokens"));
    for Retired { section, key, now } in Service::RETIRED.iter().chain(super::retired::STORE) {
        let header = section.map(|section| format!("\n[{section}]\n"));
        let line = format!("{} = \"x\"\n", if key.is_empty() { "directory" } else { *key });
        // The only service had no name, so there is none that has.
        let text = if *section == Some("service") { present.replace(&named, "") } else { present.clone() };
        let old = match &header {
            None => format!("{line}{text}"),
            Some(header) if text.contains(header) => text.replacen(header, &format!("{header}{line}"), 1),
            Some(header) => format!("{text}{header}{line}"),
        };
        let part = if key.is_empty() { header.as_deref().unwrap() } else { line.as_str() };
        let at = old.lines().position(|line| line == part.trim()).unwrap() + 1;
        let setting = [*section, Some(*key)].into_iter().flatten().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(".");
        let says =
            format!("hjemmel.toml:{at}: {setting}: has moved; write {now}: `hjemmel check --migrate FILE` writes the new file");
        let report = refused(&dir, &old);
        assert!(report.contains(&says), "{says}\nin\n{report}");
        assert_eq!(report.matches("hjemmel.toml:").count(), 1, "{report}");
    }
}

/// What the file of 22 November says, every default of it written out, is what its conversion says.
#[test]
fn a_file_of_before_means_the_same_in_the_present_form() {
    let (dir, present) = set_up();
    let old = include_str!("../../tests/migrate/hjemmel-before-names.toml");
    let old = old.replace("/etc/hjemmel/", "").replace("/var/lib/hjemmel/", "");
    let new = migrated(&old).unwrap();
    assert_eq!(settings(&dir, &new), settings(&dir, &present));
    for line in old.lines().filter(|line| line.starts_with('#') && !line.starts_with("# name =") && !line.contains("# entity_id"))
    {
        assert!(new.lines().any(|kept| kept == line), "{line}");
    }

    std::fs::write(dir.path().join("policies/mine.toml"), "x").unwrap();
    let changes = [
        ("udk_cvr = \"99999991\"", "udk_cvr = \"99999990\""),
        ("# path = \"/service/Ydelse/TerminalAdgang/6\"", "path = \"/mine\""),
        ("# sender_fault_status = 500", "sender_fault_status = 400"),
        ("# entity_id = \"http://entityid.kombit.dk/service/ydi/ydelseindeks/6\"", "entity_id = \"urn:mine\""),
        ("# breaker_failures = 5", "breaker_failures = 7"),
        ("# name = \"terminaladgang-6\"", "name = \"mine\""),
    ];
    let changed = changes.iter().fold(old, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    let config = read(&migrated(&changed).unwrap(), dir.path(), now()).0.unwrap();
    let (service, peer) = (&config.services["terminaladgang-6"], &config.peers["ydelsesindeks"]);
    assert_eq!((service.offer().path.as_str(), service.offer().sender_fault_status), ("/mine", 400));
    assert_eq!((peer.entity_id.as_str(), peer.reach.breaker_failures), ("urn:mine", 7));
    let Service::Terminaladgang(settings) = service else { panic!("{service:?}") };
    assert_eq!((settings.udk.to_string().as_str(), settings.policy.name.as_str()), ("99999990", "mine"));
}
