//! The core behind its SFTP door, by OpenSSH's client: what a supplier does on the first day.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use hjemmel::clock::Clock;
use hjemmel::config::SftpLimits;
use hjemmel::edge::sftp::{Door, counts::Counts, host_keys};
use hjemmel::files::key::PublicKey;
use hjemmel::files::users;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::Command;

use super::world::*;
use crate::not_run::did_not_run;

/// Makes a key pair and gives the user its public half.
async fn log_on_key(world: &World, user: &str) {
    let path = world.folder.join(user);
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path).status().await.unwrap();
    assert!(made.success());
    let key: PublicKey = std::fs::read_to_string(path.with_extension("pub")).unwrap().parse().unwrap();
    let now = *world.now.lock().unwrap();
    let mut transaction = world.database.begin().await.unwrap();
    users::add_key(&mut transaction, id(user), &key, "client", None, now).await.unwrap();
    transaction.commit().await.unwrap();
}

/// What OpenSSH's client says to a batch of commands, and whether it was content.
async fn sftp(address: SocketAddr, folder: &Path, user: &str, batch: &str) -> (bool, String) {
    let mut client = Command::new("sftp")
        .args([
            "-q",
            "-b",
            "-",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "IdentitiesOnly=yes",
        ])
        .args(["-F", "/dev/null", "-P", &address.port().to_string(), "-i"])
        .arg(folder.join(user))
        .arg(format!("{user}@{}", address.ip()))
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    client.stdin.take().unwrap().write_all(batch.as_bytes()).await.unwrap();
    let ended = client.wait_with_output().await.unwrap();
    (ended.status.success(), format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr)))
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_puts_a_file_and_its_trigger_and_its_recipient_fetches_it_with_openssh() {
    if std::process::Command::new("ssh-keygen").arg("-?").stderr(Stdio::null()).status().is_err() {
        did_not_run("OpenSSH's client", "apt-get install openssh-client");
        return;
    }
    for world in World::all().await {
        for user in [SENDER, RECIPIENT, OTHER] {
            log_on_key(&world, user).await;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let key = host_keys::generate(&world.folder.join("host.key"), host_keys::Kind::Ed25519).unwrap();
        let counts = Counts::new(&prometheus::Registry::new()).unwrap();
        let door = Door::new(world.files.clone(), vec![key], SftpLimits::default(), counts, Clock::system());
        let serving = tokio::spawn(door.serve(listener, std::future::pending()));
        let files = world.files.clone();
        let working = tokio::spawn(async move { files.work().await });

        let content = vec![b'x'; 300_000];
        std::fs::write(world.folder.join("data"), &content).unwrap();
        std::fs::write(world.folder.join("trigger"), trigger(NAME, content.len())).unwrap();
        let batch = format!("cd /OUT\nput -p data {NAME}\nput -p trigger {NAME}.trigger\nls\n");
        let (done, said) = sftp(address, &world.folder, SENDER, &batch).await;
        assert!(done, "{}: {said}", world.kind);

        let until = Instant::now() + Duration::from_secs(60);
        while world.receipt(NAME).await.is_none() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let batch = format!("get IN/{NAME}.sftpreceipt receipt\nls OUT\n");
        let (done, said) = sftp(address, &world.folder, SENDER, &batch).await;
        assert!(done && !said.contains(&format!("OUT/{NAME}")), "{}: {said}", world.kind);
        let receipt = std::fs::read_to_string(world.folder.join("receipt")).unwrap();
        assert!(receipt.contains("<Message>SUCCESS</Message>"), "{}: {receipt}", world.kind);

        let batch = format!("cd IN\nls -l\nget {NAME} fetched\nget {NAME}.metadata metadata\nrm {NAME}\nrm {NAME}.metadata\n");
        let (done, said) = sftp(address, &world.folder, RECIPIENT, &batch).await;
        assert!(done, "{}: {said}", world.kind);
        assert_eq!(std::fs::read(world.folder.join("fetched")).unwrap(), content, "{}", world.kind);
        assert!(std::fs::read_to_string(world.folder.join("metadata")).unwrap().contains("ns2:FileMetadata"));
        let (done, said) = sftp(address, &world.folder, RECIPIENT, "put data IN/forged.sftpreceipt\n").await;
        assert!(!done, "{}: nobody writes in IN: {said}", world.kind);
        let (done, said) = sftp(address, &world.folder, OTHER, "ls IN\nls OUT\n").await;
        assert!(done && !said.contains(NAME), "{}: another's files: {said}", world.kind);
        working.abort();
        serving.abort();
    }
}
