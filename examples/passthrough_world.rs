//! A gateway that offers a service folder, its STS, and the providers behind it, for clients from outside:
//! `passthrough_world FOLDER token|authority-context`, where the second is how the provider wants to be asked. Says on one
//! line of JSON what a client needs, and stops when its standard input ends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)] // a tool for tests

/// One world is made here, and its gateway makes the tables.
mod tables {
    pub fn in_world(_: &std::path::Path) {}
}
#[path = "../tests/gateway/wire.rs"]
#[allow(dead_code)] // the calls come from outside
mod wire;
#[path = "../tests/passthrough/world.rs"]
#[allow(dead_code)]
mod world;

use std::io::Read;
use std::path::Path;

use hjemmel::cli::demo::world::WITHOUT_BACK;
use hjemmel::services::passthrough::wsdl::Security;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::KORSBAEK;
use hjemmel::stub::service::instance::Maker;
use serde_json::{Value, json};

use world::Passing;

/// One valid request of each operation. A signed message has one Signature, and an invented context names nobody.
fn samples(passing: &Passing) -> Value {
    let contract = &passing.folder.contracts[0];
    let maker = Maker::new(contract.schema.inspect().unwrap().model().unwrap());
    let sample = |name: &str, local: &str| {
        let make = |seed| String::from_utf8(maker.make(name, local, seed).unwrap()).unwrap();
        let fits = |body: &String| ["Signature", "AuthorityContext", "CallContext"].iter().all(|word| !body.contains(word));
        (0..500).map(make).find(fits).unwrap()
    };
    let of = |operation: &hjemmel::services::passthrough::wsdl::Operation| {
        let name = &operation.request;
        (operation.name.clone(), Value::String(sample(&name.namespace, &name.local)))
    };
    contract.wsdl.operations.iter().map(of).collect()
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, own] = arguments.as_slice() else { panic!("passthrough_world FOLDER token|authority-context") };
    let own = match own.as_str() {
        "token" => Security::Token,
        "authority-context" => Security::AuthorityContext,
        other => panic!("{other} is no security model"),
    };
    let passing = Passing::start_for(Path::new(folder), "", own).await;
    let pki = |role: Role, kind: &str| passing.world.dir.join(format!("pki/{}{kind}.pem", role.file_name()));
    println!(
        "{}",
        json!({
            "service": format!("{}{}", passing.address(), passing.folder.settings.path),
            "entity_id": passing.folder.settings.entity_id,
            "authority": KORSBAEK,
            "ca": passing.world.dir.join("pki/root.pem"),
            "certificate": pki(Role::Korsbaek, ""),
            "key": pki(Role::Korsbaek, ".key"),
            // A system that the STS knows, and that has no agreement here.
            "stranger": {
                "certificate": pki(Role::OtherMunicipality, ""),
                "key": pki(Role::OtherMunicipality, ".key"),
                "authority": WITHOUT_BACK,
            },
            "gateway": pki(Role::GatewayClient, ""),
            "sts": passing.world.sts_address.to_string(),
            "sts_certificate": pki(Role::StsSigning, ""),
            "samples": samples(&passing),
        })
    );
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
}
