//! Services as real programs: started, asked over TCP, stopped. The tier `services`.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value as Json, json};
use services::{Environment, Running, ServiceError, plan, start};

fn started(id: &str, service: &Json) -> Result<(Running, Vec<String>), ServiceError> {
    let mut lines = Vec::new();
    let mut say = |line: &str| lines.push(line.to_owned());
    let start_it = std::process::Command::spawn;
    let mut environment =
        Environment { tracking: &[], is_cancelled: &|| false, say: &mut say, start: &start_it };
    let plans = plan(id, service)?.into_iter().collect();
    let running = start(plans, &mut environment)?;
    Ok((running, lines))
}

fn host_port(running: &Running, id: &str, container: &str) -> u16 {
    let context = running.context();
    let port = context[id]["ports"][container].as_str().expect("a mapped port");
    port.parse().expect("a number")
}

fn connects(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

// proves: conformance 159, 160, 163
#[test]
fn redis_answers_on_its_mapped_port_and_is_gone_afterwards() {
    let service = json!({ "image": "redis:7", "ports": [6379],
        "options": "--health-cmd \"redis-cli ping\" --health-interval 10s" });
    let (running, lines) = started("redis", &service).expect("redis starts");
    assert!(lines.contains(&"service redis is healthy".to_owned()), "{lines:?}");
    let port = host_port(&running, "redis", "6379");
    let mut client = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    client.write_all(b"SET a 1\r\nGET a\r\n").expect("written");
    let mut answer = [0; 12];
    client.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"+OK\r\n$1\r\n1\r\n");
    running.stop();
    assert!(!connects(port));
}

#[test]
fn postgres_has_the_user_the_password_and_the_database() {
    let service = json!({ "image": "postgres:15", "ports": [5432],
        "env": { "POSTGRES_USER": "planner", "POSTGRES_PASSWORD": "it's secret", "POSTGRES_DB": "test" },
        "options": "--health-cmd pg_isready --health-interval 10s" });
    let (running, _) = started("postgres", &service).expect("postgres starts");
    let port = host_port(&running, "postgres", "5432");
    let ask = |password: &str| {
        let output = std::process::Command::new("psql")
            .args([
                "-X",
                "-A",
                "-t",
                "-h",
                "localhost",
                "-p",
                &port.to_string(),
                "-U",
                "planner",
                "-d",
                "test",
            ])
            .args(["-c", "SELECT current_database()"])
            .env("PGPASSWORD", password)
            .output()
            .expect("psql starts");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(ask("it's secret"), "test");
    assert_eq!(ask("guessed"), "");
    running.stop();
    assert!(!connects(port));
}

#[test]
fn postgres_without_a_password_stops_as_its_image_does() {
    let error =
        started("db", &json!({ "image": "postgres:15" })).err().expect("no password, no database");
    assert!(error.to_string().contains("superuser password is not specified"), "{error}");
}

#[test]
fn mysql_is_mariadb_with_the_images_users() {
    let service = json!({ "image": "mysql:8", "ports": [3306],
        "env": { "MYSQL_ROOT_PASSWORD": "root-secret", "MYSQL_DATABASE": "shop", "MYSQL_USER": "app", "MYSQL_PASSWORD": "app-secret" },
        "options": "--health-cmd \"mysqladmin ping\"" });
    let (running, lines) = started("db", &service).expect("mariadb starts");
    assert!(lines[0].contains("MariaDB (for MySQL)"), "{lines:?}");
    let port = host_port(&running, "db", "3306").to_string();
    let output = std::process::Command::new("mariadb")
        .args([
            "--no-defaults",
            "-h",
            "127.0.0.1",
            "-P",
            &port,
            "-u",
            "app",
            "-papp-secret",
            "shop",
        ])
        .args(["-N", "-e", "SELECT DATABASE()"])
        .output()
        .expect("mariadb starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "shop");
    running.stop();
}

// proves: conformance 163
#[test]
fn without_ports_nothing_listens() {
    let (running, lines) = started("redis", &json!("redis:7")).expect("redis starts");
    assert!(lines[0].contains("no port is mapped, so the job cannot reach it"), "{lines:?}");
    assert_eq!(running.context()["redis"]["ports"], json!({}));
}

#[test]
fn a_taken_port_names_its_owner() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let service = json!({ "image": "redis", "ports": [format!("{port}:6379")] });
    let error = started("redis", &service).err().expect("the port is taken");
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
}

#[test]
fn what_never_becomes_healthy_fails_with_its_log() {
    let service = json!({ "image": "redis", "options": "--health-cmd false --health-interval 100ms --health-retries 2" });
    let error = started("redis", &service).err().expect("it is never healthy");
    let ServiceError::Failed { problem, log, .. } = error else { panic!("{error}") };
    assert_eq!(problem, "is unhealthy: `false` fails");
    assert!(log.to_lowercase().contains("ready to accept connections"), "{log}");
}
