//! `hjemmel demo`: the gateway at work, with a whole world around it on loopback.

pub mod campus;
mod connection;
pub mod console;
pub mod files;
pub mod finance;
pub mod idp;
pub mod invitation;
mod persons;
pub mod scenes;
pub mod screen;
pub mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::node::signals::Stop;
use crate::stub::pki::{DevPki, KeyBits};
use campus::Campus;
use console::Doors;
use files::Mailboxes;
use finance::{Finance, OwnLedger};
use idp::Provider;
use invitation::Invitation;
use scenes::Scene;
use world::{Narrowed, Options, World, WorldError};

/// Show the gateway at work: calls that are served, calls that are refused, and why.
///
/// Makes a throw-away PKI, starts a security token service, a benefit index with an invented population and the gateway on
/// loopback, each on real TLS, and acts as the clients. Then it stays up for your own client until Ctrl-C.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show each outcome on one line and stop; exits 0 only if every outcome was the expected one
    #[arg(long)]
    once: bool,
    /// The gateway's port
    #[arg(long, default_value = "0", value_name = "PORT")]
    port: u16,
    /// Keep keys, configuration and audit log in this (new) folder; without it they go to a temporary one. Once everything
    /// is up, DIR/demo.json tells a program where everything is
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The seed of the invented population
    #[arg(long, default_value = "1")]
    seed: u64,
    /// The files of the common design system (npm dkfds, its folder dist) for the console
    #[arg(long, value_name = "DIR")]
    assets: Option<PathBuf>,
    #[command(flatten)]
    ledger: OwnLedger,
}

/// How long the world may take to end when the demonstration is told to stop.
const ENDING: Duration = Duration::from_secs(20);

/// Carries out the command.
///
/// # Errors
/// What kept the world from coming up.
pub async fn run(args: Args, clock: &Clock) -> Result<ExitCode, WorldError> {
    // Before anything slow: the first process of a container gets no signal without a handler.
    let mut stop = Stop::install()?;
    let own = args.dir.is_none();
    let dir = args.dir.clone().unwrap_or_else(|| std::env::temp_dir().join(format!("hjemmel-demo-{}", std::process::id())));
    let temporary = own.then(|| Temporary(dir.clone()));
    let (tell, told) = watch::channel(());
    let kept = temporary.clone();
    // A task of its own: whoever reads the output may stand still, and the demonstration with it.
    let signals = tokio::spawn(async move {
        stop.received().await;
        let _ = tell.send(());
        tokio::time::sleep(ENDING).await;
        drop(kept);
        std::process::exit(1);
    });
    let shown = show(&args, dir, clock, told).await;
    signals.abort();
    shown
}

/// The folder of a demonstration that keeps nothing. The keys in it are worth nothing, but nobody should have to wonder.
#[derive(Clone)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn show(args: &Args, dir: PathBuf, clock: &Clock, mut told: watch::Receiver<()>) -> Result<ExitCode, WorldError> {
    let started = std::time::Instant::now();
    println!("Making a throw-away PKI, an invented population, and starting STS, index and gateway …");
    finance::write(&dir)?;
    files::write(&dir)?;
    campus::write(&dir)?;
    let at = clock.clone();
    let pki = tokio::task::spawn_blocking(move || DevPki::generate(&at, KeyBits::default()));
    let pki = Arc::new(pki.await.map_err(|error| error.to_string())??);
    let provider = Provider::start(&dir, &pki, clock).await?;
    let console = console::settings(args.assets.as_deref(), provider.console()) + &provider.settings();
    let platform = campus::Platform::start(&pki, clock).await?;
    let extra = finance::settings() + &files::settings() + &campus::settings() + &platform.settings() + &console;
    let options = Options { dir, port: args.port, seed: args.seed, persons: 600, clock: clock.clone(), extra, pki: Some(pki) };
    let services = vec![finance::entity_id()?, args.ledger.entity_id().to_owned(), campus::ENTITY_ID.to_owned()];
    let narrowed = Narrowed { services, ..Narrowed::default() };
    let world = tokio::select! {
        world = World::start_narrowed(options, &narrowed) => world?,
        _ = told.changed() => return Ok(ExitCode::SUCCESS),
    };
    let finance = Finance::start(&world, &args.ledger).await?;
    let mailboxes = Mailboxes::start(&world).await?;
    let campus = Campus::start(&world, platform).await?;
    println!("All up after {:.1} s.\n", started.elapsed().as_secs_f64());
    let shown = tokio::select! {
        shown = play(args, &world, &finance, &mailboxes, &campus) => shown,
        _ = told.changed() => {
            println!("\nStopping.");
            Ok(ExitCode::SUCCESS)
        }
    };
    world.stop().await;
    finance.stop().await;
    campus.stop().await;
    provider.stop().await;
    shown
}

async fn play(
    args: &Args,
    world: &World,
    finance: &Finance,
    mailboxes: &Mailboxes,
    campus: &Campus,
) -> Result<ExitCode, WorldError> {
    let mut unexpected = 0;
    for scene in Scene::ALL {
        let played = scenes::play(world, scene).await?;
        unexpected += usize::from(!played.as_expected());
        if args.once { screen::line(&played) } else { screen::print(world, &played) }
    }
    // A ledger of one's own may not be up yet, and says what it says.
    let of_finance: &[finance::Scene] = if args.ledger.is_given() { &[] } else { &finance::Scene::ALL };
    for scene in of_finance.iter().copied() {
        let played = finance.play(world, scene).await?;
        unexpected += usize::from(!played.as_expected);
        if args.once { screen::finance_line(&played) } else { screen::finance(&played) }
    }
    for scene in campus::Scene::ALL {
        let played = campus.play(world, scene).await?;
        unexpected += usize::from(!played.as_expected);
        if args.once { screen::campus_line(&played) } else { screen::campus(&played) }
    }
    if !args.ledger.is_given() {
        let played = connection::play(world, finance).await?;
        unexpected += usize::from(!played.as_expected);
        if args.once { screen::connection_line(&played) } else { screen::connection(&played) }
    }
    for scene in files::Scene::ALL {
        let played = mailboxes.play(world, scene).await?;
        unexpected += usize::from(!played.as_expected);
        if args.once { screen::file_line(&played) } else { screen::file(&played) }
    }
    if args.once {
        let connected = usize::from(!args.ledger.is_given());
        let own = of_finance.len() + connected + campus::Scene::ALL.len();
        let outcomes = Scene::ALL.len() + own + files::Scene::ALL.len();
        println!("\n{outcomes} outcomes, {unexpected} not as expected.");
        return Ok(if unexpected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let doors = Doors::open(world).await?;
    let console = doors.text();
    let invitation = Invitation::new(world)?.with(doors).with_persons(campus.invited(world));
    finance.invite(world, &invitation)?;
    mailboxes.invite(world)?;
    campus.invite(world)?;
    invitation.write(world)?;
    print!("{}{console}", invitation.text(world, mailboxes.address()));
    // Until it is told to stop.
    std::future::pending().await
}
