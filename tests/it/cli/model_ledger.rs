//! The model ledger as a command of its own.

use std::process::Command;

#[test]
fn the_model_ledger_names_its_servers_and_ends_cleanly_on_either_signal() {
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;
    for signal in ["-TERM", "-INT"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_xrpayd"))
            .args([
                "sandbox-ledger",
                "--listen",
                "127.0.0.1:0,127.0.0.1:0",
                "--close-interval",
                "manual",
                "--retain-ledgers",
                "32",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .take(2)
            .map(|line| line.unwrap())
            .collect();
        assert!(
            lines.iter().all(|line| line.starts_with("ws://127.0.0.1:")),
            "{lines:?}"
        );
        for line in &lines {
            let address = line.strip_prefix("ws://").unwrap();
            std::net::TcpStream::connect(address).unwrap();
        }
        let pid = child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[test]
fn the_model_ledger_takes_strangers_at_ports_of_their_own() {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::process::Stdio;
    let mut child = Command::new(env!("CARGO_BIN_EXE_xrpayd"))
        .args([
            "sandbox-ledger",
            "--listen",
            "127.0.0.1:0",
            "--listen-public",
            "127.0.0.1:0,127.0.0.1:0",
            "--close-interval",
            "manual",
            "--json",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let places: serde_json::Value = serde_json::from_str(&line).unwrap();
    let ledger_accept = |url: &serde_json::Value| {
        let address = url.as_str().unwrap().strip_prefix("ws://").unwrap();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let body = r#"{"method":"ledger_accept"}"#;
        let length = body.len();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let (servers, public) = (&places["ledger"], &places["public"]);
    assert_eq!(servers.as_array().unwrap().len(), 1, "{places}");
    assert_eq!(public.as_array().unwrap().len(), 2, "{places}");
    let answer = ledger_accept(&servers[0]);
    assert!(answer.contains("\"ledger_current_index\":4"), "{answer}");
    for stranger in public.as_array().unwrap() {
        let answer = ledger_accept(stranger);
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
