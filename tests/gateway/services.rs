//! Several services on one listener, and services and peers that come and go with a reload.

use std::time::Duration;

use bytes::Bytes;
use hjemmel::cli::call::client::Client;
use hjemmel::cli::demo::world::World;
use hjemmel::clock::Clock;
use hjemmel::outbound::{Outbound, OutboundSettings};
use hjemmel::soap::envelope::Version;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{KORSBAEK, demo};
use http_body_util::BodyExt;
use jiff::SignedDuration;

use crate::process::in_runtime;
use crate::request::{and, search};
use crate::stage::{admin, options, person};

/// A second service with a path, a UUID, an entity id and a peer of its own, beside the demo's.
fn with_a_second(settings: &toml::Table) -> toml::Table {
    let mut settings = settings.clone();
    let mut copy = |section: &str, from: &str, to: &str, own: &str| {
        let all = settings[section].as_table_mut().unwrap();
        let mut second = all[from].as_table().unwrap().clone();
        second.extend(own.parse::<toml::Table>().unwrap());
        all.insert(to.to_owned(), second.into());
    };
    let own = "path = \"/service/Anden/1\"\nservice_uuid = \"7e2c3d9a-6f0b-4a53-9d70-3c1c5f6d2b11\"\n\
               entity_id = \"http://entityid.hjemmel.example/service/anden/1\"\npeer = \"another\"";
    copy("service", "terminaladgang-6", "anden-1", own);
    copy("peer", "ydelsesindeks", "another", "entity_id = \"http://entityid.hjemmel.example/service/another/1\"");
    settings
}

async fn get(world: &World, path: &str) -> (u16, String) {
    let outbound = Outbound::new(OutboundSettings::new(vec![world.pki.root().clone()])).unwrap();
    let uri = format!("https://{}{path}", world.service.authority().unwrap()).parse().unwrap();
    let answer = outbound.get(&uri, tokio::time::Instant::now() + Duration::from_secs(30)).await.unwrap();
    let status = answer.status().as_u16();
    (status, String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

/// The service that the record names, and the refusal in it.
async fn call(world: &World, path: &str) -> (String, Option<String>) {
    let mut client = world.client(Some(Role::Korsbaek)).unwrap();
    client.service = format!("https://{}{path}", world.service.authority().unwrap()).parse().unwrap();
    let input = search(&and(&[&person(demo::BOTH)]));
    let message: Bytes = Client::authority_context_message(KORSBAEK.parse().unwrap(), input.as_bytes());
    client.send(Version::V11, message).await.unwrap();
    let record = world.records.recv_timeout(Duration::from_secs(60)).unwrap();
    (record.service, record.refusal)
}

async fn reload(world: &World, settings: &toml::Table) {
    std::fs::write(&world.configuration, settings.to_string()).unwrap();
    world.reload().await.unwrap();
}

#[test]
fn a_second_service_and_its_peer_come_and_go_with_a_reload() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::start(options(dir.path(), Clock::system(), "")).await.unwrap();
        let alone: toml::Table = std::fs::read_to_string(&world.configuration).unwrap().parse().unwrap();
        let both = with_a_second(&alone);
        let first = world.service.path().to_owned();
        let breaker = "hjemmel_breaker_state{state=\"closed\",target=\"another\"} 1\n";

        assert_eq!(get(&world, "/service/Anden/1?wsdl").await.0, 404);
        assert!(!admin(world.admin, "/metrics").await.1.contains("another"));

        reload(&world, &both).await;
        assert_eq!(call(&world, &first).await, ("terminaladgang-6".to_owned(), None));
        // The agreements are for the first one's UUID.
        assert_eq!(call(&world, "/service/Anden/1").await, ("anden-1".to_owned(), Some("ServiceAgreementNotFound".to_owned())));
        for (path, entity_id) in
            [(first.as_str(), "service/ydelse/terminaladgang/6\""), ("/service/Anden/1", "service/anden/1\"")]
        {
            let (status, wsdl) = get(&world, &format!("{path}?wsdl")).await;
            assert!(status == 200 && wsdl.contains(path), "{wsdl}");
            let (status, metadata) = get(&world, &format!("{path}?metadata")).await;
            assert!(status == 200 && metadata.contains(entity_id), "{metadata}");
        }
        assert!(admin(world.admin, "/metrics").await.1.contains(breaker));
        for path in ["/", "/service", "/service/Anden", "/service/Anden/1/x", "/service/anden/1"] {
            let (status, told) = get(&world, path).await;
            assert_eq!(status, 404, "{path}");
            assert!(!told.contains("Anden") && !told.contains("TerminalAdgang"), "{told}");
        }

        reload(&world, &alone).await;
        assert_eq!(get(&world, "/service/Anden/1?wsdl").await.0, 404);
        assert!(!admin(world.admin, "/metrics").await.1.contains("=\"another\""), "it is not told of any more");
        assert_eq!(call(&world, &first).await, ("terminaladgang-6".to_owned(), None));
        world.stop().await;
    });
}

/// A peer that a list names as revoked is left alone, and the other goes on: each has lists of its own.
#[test]
fn each_peer_is_judged_by_its_own_lists() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::start(options(dir.path(), Clock::system(), "")).await.unwrap();
        let alone: toml::Table = std::fs::read_to_string(&world.configuration).unwrap().parse().unwrap();
        let first = world.service.path().to_owned();
        let (leaf, now) = (world.pki.credentials(Role::IndexServer).unwrap().leaf(), Clock::system().now());
        let hour = SignedDuration::from_hours(1);
        std::fs::write(dir.path().join("peer.crl"), world.pki.revocation_list(&[leaf], now - hour, now + hour).unwrap()).unwrap();
        let listed = |peer: &str| {
            let mut settings = with_a_second(&alone);
            let own = "roots = [\"pki/root.pem\", \"pki/issuing.pem\"]\ncrls = [\"peer.crl\"]".parse::<toml::Table>().unwrap();
            settings["peer"][peer].as_table_mut().unwrap().extend(own);
            settings
        };
        reload(&world, &listed("another")).await;
        assert_eq!(call(&world, &first).await.1, None, "the list is another peer's");
        let lists = admin(world.admin, "/metrics").await.1;
        assert!(lists.contains("hjemmel_crl_next_update_timestamp_seconds{name=\"peer.another.crls.0/peer.crl\"}"), "{lists}");
        reload(&world, &listed("ydelsesindeks")).await;
        assert_eq!(call(&world, &first).await.1.as_deref(), Some("PeerUnavailable"));
        world.stop().await;
    });
}

/// Neither a token for one service nor a message that was signed for it opens another, though both stand on one listener, trust
/// one STS and have the same caller's agreement.
#[test]
fn what_was_made_for_one_service_opens_no_other() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::start(options(dir.path(), Clock::system(), "")).await.unwrap();
        let alone: toml::Table = std::fs::read_to_string(&world.configuration).unwrap().parse().unwrap();
        reload(&world, &with_a_second(&alone)).await;
        let (token, key) = (world.token(Role::Korsbaek, KORSBAEK).await.unwrap(), world.key(Role::Korsbaek).unwrap());
        let input = search(&and(&[&person(demo::BOTH)]));
        let (first, mut second) = (world.client(None).unwrap(), world.client(None).unwrap());
        second.service = format!("https://{}/service/Anden/1", world.service.authority().unwrap()).parse().unwrap();
        let signed_for = |client: &Client| client.token_message(token.assertion(), &key, input.as_bytes(), world.clock.now());
        let before = world.index_requests();
        // Addressed to the second with the first one's token; and addressed to the first, sent to the second.
        for (message, refusal) in
            [(signed_for(&second).unwrap().0, "TokenAudience"), (signed_for(&first).unwrap().0, "AddressingInvalid")]
        {
            second.send(Version::V12, message).await.unwrap();
            let record = world.records.recv_timeout(Duration::from_secs(60)).unwrap();
            assert_eq!((record.service.as_str(), record.refusal.as_deref()), ("anden-1", Some(refusal)));
        }
        assert_eq!(world.index_requests(), before, "nothing reached the peer");
        world.stop().await;
    });
}
