//! The demo's screen: the question, the window, what came and what was let out, with the reason for each kind.
#![allow(clippy::print_stdout)] // the output of a command

use super::scenes::Played;
use super::world::{ENTITY_ID, World, WorldError};
use crate::cli::call::words::Said;
use crate::policy::window::Window;
use crate::stub::pki::Role;
use crate::stub::population::{KORSBAEK, demo};

/// One line a call.
pub fn line(played: &Played) {
    let verdict = if played.as_expected() { "ok " } else { "NOT AS EXPECTED" };
    let outcome = match &played.said {
        Said::Answer { lines, .. } => format!("served, {} effectuation(s)", lines.len()),
        Said::Fault { code, .. } => format!("refused: {code}"),
        Said::Unknown(text) => format!("neither answer nor fault: {text}"),
    };
    let signed = match played.signed {
        Some(true) => ", signed",
        Some(false) => ", NOT SIGNED",
        None => "",
    };
    println!("{verdict} {:<80} {outcome}{signed} ({} ms)", played.scene.title(), played.took.as_millis());
}

/// The whole story of a call.
pub fn tell(world: &World, played: &Played) {
    println!("── {} ──", played.scene.title());
    println!("   asked     {}", played.asked);
    let record = &played.record;
    if let Some(window) = &record.window_applied {
        let text = |bound: Option<jiff::Timestamp>| {
            let copenhagen = crate::policy::dates::copenhagen();
            bound.zip(copenhagen).map_or_else(String::new, |(at, zone)| at.to_zoned(zone).strftime("%Y-%m-%d").to_string())
        };
        let how = if record.window_asked.is_some() { "asked for, inside the law's" } else { "inserted" };
        println!("   window    {how}: {} – {} (the end not included)", text(window.from), text(window.to));
    }
    match &played.said {
        Said::Answer { lines, .. } => {
            let sum = |map: &std::collections::BTreeMap<String, u64>| map.values().sum::<u64>();
            let (released, removed) = (&record.released, &record.removed);
            println!(
                "   index     {} objects came with {} fields; {} objects and {} fields are released",
                sum(&released.objects) + sum(&removed.objects),
                sum(&released.fields) + sum(&removed.fields),
                sum(&released.objects),
                sum(&released.fields),
            );
            for (what, map) in [("objects", &removed.objects), ("fields", &removed.fields)] {
                for (rule, count) in map {
                    let why = world.policy.release().words(rule).map_or("", |words| &words.en);
                    println!("   removed   {count:>4} {what:<8} {rule}: {why}");
                }
            }
            for (rule, count) in &released.fields {
                let basis = world.policy.release().words(rule).map_or("", |words| &words.basis);
                println!("   released  {count:>4} fields   {rule}: {basis}");
            }
            lines.iter().for_each(|line| println!("   answer    {line}"));
        }
        said => said.lines().iter().for_each(|line| println!("   {line}")),
    }
    match played.signed {
        Some(true) => println!("   signed    the answer's signature verifies with the gateway's certificate"),
        Some(false) => println!("   signed    NO: the answer's signature does not verify"),
        None => {}
    }
    println!(
        "   call id   {}, {} ms{}\n",
        record.call,
        played.took.as_millis(),
        if played.as_expected() { "" } else { "  NOT AS EXPECTED" }
    );
}

/// What someone with a client of their own needs.
///
/// # Errors
/// The message for curl could not be written.
pub fn invite(world: &World) -> Result<(), WorldError> {
    let pki = world.dir.join("pki");
    let path = |role: Role, ending: &str| pki.join(format!("{}{ending}", role.file_name())).display().to_string();
    let (cert, key, root) =
        (path(Role::Korsbaek, ".pem"), path(Role::Korsbaek, ".key.pem"), pki.join("root.pem").display().to_string());
    let question =
        crate::cli::call::question::Question::about(crate::policy::person::Cpr::parse(demo::UDK_ONLY).ok_or("no CPR number")?);
    let message = crate::cli::call::client::Client::authority_context_message(KORSBAEK.parse()?, &question.input());
    let file = world.dir.join("request.xml");
    std::fs::write(&file, &message)?;
    let window = Window::at(world.clock.now(), world.policy.request().reading)?;
    println!("The gateway stays up. For a client of your own:\n");
    println!("  service   {}", world.service);
    println!("  contract  {0}?wsdl (AuthorityContext)   {0}?wsdl=token (OIO IDWS)", world.service);
    println!("  keys      {} (each NAME.pem with NAME.key.pem; trust root.pem)", pki.display());
    println!("  token     from {} for {ENTITY_ID}", world.sts_address);
    println!("  window    today {} – {}", window.from_text(), window.to_text());
    println!("  persons   {}", demo::ALL.map(|(cpr, name)| format!("{cpr} {name}")).join(", "));
    println!("  admin     http://{}/metrics, /healthz, /readyz", world.admin);
    println!(
        "  audit     hjemmel audit verify {} --key {}\n",
        world.dir.join("audit").display(),
        world.dir.join("audit-keys/checkpoint.pub").display()
    );
    println!("AuthorityContext with curl:\n");
    println!(
        "  curl --cacert {root} --cert {cert} --key {key} -H 'Content-Type: text/xml; charset=utf-8' \\\n    --data-binary @{} {}\n",
        file.display(),
        world.service
    );
    println!("The token binding, which curl cannot sign:\n");
    println!(
        "  echo {} | {} call --service {} \\\n    --ca {root} --cert {cert} --key {key} --authority {KORSBAEK} \\\n    \
         --sts {} --sts-metadata {} --entity-id {ENTITY_ID} --gateway-cert {}\n",
        demo::UDK_ONLY,
        std::env::current_exe().map_or_else(|_| "hjemmel".to_owned(), |path| path.display().to_string()),
        world.service,
        world.sts_address,
        world.dir.join("sts-metadata.xml").display(),
        path(Role::GatewayClient, ".pem"),
    );
    println!("Ctrl-C stops everything.");
    Ok(())
}
