//! SF1590_A Finans: calls beside nginx and libxml2, schema validation beside libxml2 and the JDK. Every delivery and voucher has an id of
//! its own, for the gateway would answer a known one from memory.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hjemmel::agreements::Store;
use hjemmel::agreements::import::Import;
use hjemmel::agreements::route::file;
use hjemmel::agreements::route::store::{Decision, InTheWay};
use hjemmel::schema::pool::Pool;
use hjemmel::services::finance::rules::delivery::NAMESPACE;
use hjemmel::services::passthrough::folder::{self, Folder};
use hjemmel::soap::document::Document;
use hjemmel::soap::names::{AUTHORITY_CONTEXT, SOAP11};
use hjemmel::soap::strict::Limits;
use hjemmel::stub::finance::sample::{Parties, Sample};
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::KORSBAEK;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::backend;
use super::driver::{Binding, Caller, Messages};
use super::rows::{CONNECTIONS, Effort, accounted, milliseconds};
use super::stage::{Peer, Stage};
use super::table::{Row, median};

/// Where the service is offered, by its folder.
const PATH: &str = "/service/Oekonomi/Finansbilag/1";
const REQUEST: &str = "ModtagFinansbilagStraksleveranceRequest";
const MB: f64 = 1e6;
/// How long a judge works before it is measured, so that Java's compiler has done.
const WARM: Duration = Duration::from_secs(4);
/// How long it works in a turn, roughly.
const TURN: Duration = Duration::from_millis(150);

/// Every row.
pub async fn rows(stage: &Stage, effort: Effort) -> Vec<Row> {
    let finance = Finance::new(stage).await;
    let mut rows = Vec::new();
    rows.push(finance.calls("10 KB", 10_000, 300, 2.0, stage, effort).await);
    rows.push(finance.calls("1 MB", 1_000_000, 32, 1.5, stage, effort).await);
    for (name, bytes) in [("2.5 KB", 2_500), ("27 KB", 27_000), ("270 KB", 270_000), ("10 MB", 10_000_000)] {
        rows.extend(finance.validation(name, bytes, effort).await);
    }
    rows.push(finance.memory(stage, effort).await);
    rows.push(finance.folders(stage, effort).await);
    rows
}

struct Finance {
    folder: Folder,
    path: PathBuf,
    backend: SocketAddr,
    seed: AtomicU64,
    files: tempfile::TempDir,
}

impl Finance {
    async fn new(stage: &Stage) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/services/finansbilag");
        let folder = folder::load(&path).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let backend = listener.local_addr().unwrap();
        serve(listener, stage);
        agree(stage, &folder, backend).await;
        Self { folder, path, backend, seed: AtomicU64::new(1), files: tempfile::tempdir().unwrap() }
    }

    /// A new request of about so many bytes.
    fn request(&self, bytes: usize) -> String {
        let parties = Parties {
            system: Role::Korsbaek.uuid().parse().unwrap(),
            sender: KORSBAEK.parse().unwrap(),
            receiver: KORSBAEK.parse().unwrap(),
            day: jiff::civil::date(2026, 11, 27),
        };
        let context = format!(
            "<a:AuthorityContext xmlns:a=\"{AUTHORITY_CONTEXT}\"><a:MunicipalityCVR>{KORSBAEK}</a:MunicipalityCVR></a:AuthorityContext>"
        );
        let mut vouchers = bytes / 2_100 + 2;
        // As many vouchers as it takes, then as few: vouchers differ in length.
        let mut sample = loop {
            let sample = Sample::ordinary(self.seed.fetch_add(1, Ordering::Relaxed), &parties, vouchers);
            let made = sample.request(&context).len();
            if made >= bytes {
                break sample;
            }
            vouchers += (vouchers * (bytes - made)).div_ceil(made) + 1;
        };
        while sample.vouchers.len() > 1 {
            let made = sample.request(&context).len();
            let over = made.saturating_sub(bytes) * sample.vouchers.len() / made;
            if over == 0 {
                break;
            }
            sample.vouchers.truncate(sample.vouchers.len() - over);
        }
        sample.request(&context)
    }

    fn messages(&self, bytes: usize, count: usize) -> Vec<Bytes> {
        (0..count).map(|_| enveloped(&self.request(bytes))).collect()
    }

    async fn gateway(&self, stage: &Stage, name: &str, more: &str) -> Peer {
        let settings = format!(
            "[service.finance]\nkind = \"finance\"\nfolder = \"{}\"\n[service.finance.rules]\nFB002 = \"off\"\n{more}[limits]\nrequest_bytes = 16777216\nbody_timeout = \"2m\"\n",
            self.path.display()
        );
        stage.gateway(name, &settings, None).await
    }

    /// CPU time a call, beside nginx and libxml2, which reads and validates the same request and receipt.
    async fn calls(&self, name: &str, bytes: usize, calls: usize, goal: f64, stage: &Stage, effort: Effort) -> Row {
        let gateway = self.gateway(stage, &format!("finance-{bytes}"), "").await;
        let nginx = stage.nginx_for(&format!("nginx-finance-{bytes}"), PATH, self.backend, PATH);
        let request = self.request(bytes);
        let receipt = receipt(&request);
        let (one, other) = (self.file("request.xml", &request), self.file("receipt.xml", &receipt));
        let mut libxml2 = Judge::libxml2(&self.path.join("Finansbilag.xsd"), &[&one, &other]);
        let batch = libxml2.warm();
        let (mut ours, mut theirs, mut judged) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=effort.rounds {
            for (peer, costs) in [(&gateway, &mut ours), (&nginx, &mut theirs)] {
                let caller = Caller::new(&stage.keys, peer.address, PATH, Binding::Vouchers);
                let messages = self.messages(bytes, calls);
                let (went, cpu) =
                    accounted(peer, async || caller.closed_loop(CONNECTIONS.min(8), Messages::Each(messages)).await).await;
                assert!(
                    went.failed == 0 && went.refused.is_empty(),
                    "{} of {calls} calls failed: {}",
                    went.failed,
                    peer.process.log()
                );
                // The first round opens connections and fills tables.
                if round > 0 {
                    costs.push(cpu / went.served.len() as f64);
                }
            }
            judged.push(libxml2.ask(batch));
            eprintln!("finance {name}: round {round} of {}", effort.rounds);
        }
        let [gateway, proxy, libxml2] = [median(&ours), median(&theirs), median(&judged)];
        Row {
            what: format!("finance: CPU per call, AuthorityContext, {name} request, vs nginx and libxml2"),
            value: gateway / (proxy + libxml2),
            unit: "×",
            goal: Some(goal),
            detail: format!(
                "hjemmel {}, nginx {}, libxml2 reading and validating both {}; {} bytes and a receipt of {}, {calls} calls a round",
                milliseconds(gateway),
                milliseconds(proxy),
                milliseconds(libxml2),
                request.len(),
                receipt.len()
            ),
            samples: json!({ "hjemmel": ours, "nginx": theirs, "libxml2": judged }),
        }
    }

    /// What validation adds to a call: the nodes are read already. The others read the bytes and validate them.
    async fn validation(&self, name: &str, bytes: usize, effort: Effort) -> Vec<Row> {
        let request = self.request(bytes);
        let file = self.file("validated.xml", &request);
        let schema = self.path.join("Finansbilag.xsd");
        let limits = Limits { nodes: 10_000_000, ..Limits::default() };
        let document = Arc::new(Document::parse(Bytes::from(request.clone().into_bytes()), &limits).unwrap());
        let pool = Pool::start(&self.folder.contracts[0].schema, 1).unwrap();
        let root = Arc::new((NAMESPACE.to_owned(), REQUEST.to_owned()));
        let ours = async |many: u32| {
            let before = process_cpu();
            for _ in 0..many {
                let verdict = pool.validate(document.clone(), document.root().id(), root.clone()).await.unwrap();
                assert_eq!(verdict, Ok(()));
            }
            (process_cpu() - before) / f64::from(many)
        };
        let (mut libxml2, mut jdk) = (Judge::libxml2(&schema, &[&file]), Judge::jdk(&schema, &file));
        let batches = [libxml2.warm(), jdk.warm()];
        let own = ((TURN.as_secs_f64() / ours(3).await) as u32).clamp(1, 2_000);
        let mut costs = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..effort.rounds * 3 {
            costs[0].push(ours(own).await);
            costs[1].push(libxml2.ask(batches[0]));
            costs[2].push(jdk.ask(batches[1]));
        }
        let [own, theirs, java] = [0, 1, 2].map(|at| median(&costs[at]));
        let row = |judge: &str, theirs: f64, goal: f64| Row {
            what: format!("finance: what schema validation adds, {name}, vs {judge}"),
            value: own / theirs,
            unit: "×",
            goal: Some(goal),
            detail: format!(
                "hjemmel {} for {} bytes; {judge}, reading and validating, {}",
                milliseconds(own),
                request.len(),
                milliseconds(theirs)
            ),
            samples: json!(costs),
        };
        vec![row("libxml2", theirs, 1.0), row("the JDK, warm", java, 0.8)]
    }

    /// Peak memory of sixteen large calls at once, less that of sixteen small ones.
    async fn memory(&self, stage: &Stage, effort: Effort) -> Row {
        // In a quick run smaller, so that it works in a build without optimisation too.
        let (name, large) = if effort.rounds == 1 { ("1 MB", 1_000_000) } else { ("10 MB", 10_000_000) };
        let mut peaks = Vec::new();
        let mut in_flight = 0;
        for bytes in [10_000, large] {
            eprintln!("finance: memory of {CONNECTIONS} calls with {bytes} bytes");
            let gateway = self.gateway(stage, &format!("finance-memory-{bytes}"), "").await;
            let caller = Caller::new(&stage.keys, gateway.address, PATH, Binding::Vouchers);
            let messages = self.messages(bytes, CONNECTIONS);
            in_flight = messages.iter().map(Bytes::len).sum::<usize>();
            let went = caller.closed_loop(CONNECTIONS, Messages::Each(messages)).await;
            assert_eq!((went.failed, went.served.len()), (0, CONNECTIONS), "{}", gateway.process.log());
            peaks.push(gateway.process.memory("VmHWM"));
        }
        let more = peaks[1] as f64 - peaks[0] as f64;
        Row {
            what: format!("finance: peak memory, {CONNECTIONS} calls of {name} at once, by the bytes in flight"),
            value: more / in_flight as f64,
            unit: "×",
            goal: Some(4.0),
            detail: format!(
                "{:.0} MB more than with 10 KB ({:.0} MB), for {:.0} MB in flight",
                more / MB,
                peaks[0] as f64 / MB,
                in_flight as f64 / MB
            ),
            samples: json!(peaks),
        }
    }

    /// A call with one service folder, and with a hundred beside.
    async fn folders(&self, stage: &Stage, effort: Effort) -> Row {
        const BESIDE: usize = 99;
        let more: String = (0..BESIDE)
            .map(|n| {
                let copy = self.files.path().join(format!("folder-{n}"));
                std::fs::create_dir_all(&copy).unwrap();
                for entry in std::fs::read_dir(&self.path).unwrap() {
                    let entry = entry.unwrap();
                    std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
                }
                let settings = std::fs::read_to_string(copy.join("service.toml")).unwrap();
                let settings = settings
                    .replace("2f0c1c7e-6b0d-4c4e-9b39-5f0f1d3c1590", &format!("2f0c1c7e-6b0d-4c4e-9b39-5f0f1d3c{n:04}"))
                    .replace("urn:hjemmel:oekonomi:finansbilag:1:service", &format!("urn:hjemmel:oekonomi:finansbilag:{n}:bench"))
                    .replace(PATH, &format!("/service/Bench/{n}"));
                std::fs::write(copy.join("service.toml"), settings).unwrap();
                format!("[service.beside{n}]\nfolder = \"{}\"\n", copy.display())
            })
            .collect();
        let peers = [self.gateway(stage, "finance-alone", "").await, self.gateway(stage, "finance-beside", &more).await];
        let mut costs = [Vec::new(), Vec::new()];
        for round in 0..=effort.rounds {
            eprintln!("finance: {BESIDE} folders beside, round {round} of {}", effort.rounds);
            for (peer, costs) in peers.iter().zip(&mut costs) {
                let caller = Caller::new(&stage.keys, peer.address, PATH, Binding::Vouchers);
                let messages = self.messages(10_000, 300);
                let (went, cpu) = accounted(peer, async || caller.closed_loop(8, Messages::Each(messages)).await).await;
                assert_eq!(went.failed, 0, "{}", peer.process.log());
                if round > 0 {
                    costs.push(cpu / went.served.len() as f64);
                }
            }
        }
        let [alone, beside] = [median(&costs[0]), median(&costs[1])];
        let resident = |at: usize| peers[at].process.memory("VmRSS") as f64 / MB;
        Row {
            what: "finance: CPU per call, 100 service folders loaded vs 1".to_owned(),
            value: beside / alone,
            unit: "×",
            goal: Some(1.05),
            detail: format!(
                "{} and {}; {:.0} MB and {:.0} MB resident",
                milliseconds(alone),
                milliseconds(beside),
                resident(0),
                resident(1)
            ),
            samples: json!(costs),
        }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn enveloped(body: &str) -> Bytes {
    format!("<s:Envelope xmlns:s=\"{SOAP11}\"><s:Body>{body}</s:Body></s:Envelope>").into()
}

/// The texts of the elements of this name.
fn texts<'x>(xml: &'x str, name: &str) -> impl Iterator<Item = &'x str> {
    let start = format!("<fb:{name}>");
    let rest = xml.split(start.as_str()).skip(1).collect::<Vec<_>>();
    rest.into_iter().filter_map(|rest| rest.split('<').next())
}

/// The receipt of a ledger that books everything.
fn receipt(request: &str) -> String {
    let results: String = texts(request, "BilagID")
        .map(|id| {
            format!("<fb:BilagResultat><fb:BilagID>{id}</fb:BilagID><fb:Resultat>ACCEPTERET</fb:Resultat></fb:BilagResultat>")
        })
        .collect();
    let id = texts(request, "LeveranceID").next().unwrap_or_default();
    format!(
        "<fb:FinansbilagKvittering xmlns:fb=\"{NAMESPACE}\"><fb:LeveranceID>{id}</fb:LeveranceID><kv:Forretningskvittering \
         xmlns:kv=\"http://serviceplatformen.dk/xml/schemas/kvittering/1/\"><kv:ForretningsValideringsKode>ACCEPTERET\
         </kv:ForretningsValideringsKode></kv:Forretningskvittering>{results}</fb:FinansbilagKvittering>"
    )
}

/// A ledger that takes AuthorityContext and books everything.
fn serve(listener: TcpListener, stage: &Stage) {
    let acceptor = TlsAcceptor::from(Arc::new(backend::tls(&stage.keys)));
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service_fn(answer)).await;
            });
        }
    });
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let mut response = Response::new(Full::new(enveloped(&receipt(&String::from_utf8_lossy(&body)))));
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static("text/xml; charset=utf-8"));
    Ok(response)
}

/// An agreement on each side, and a route to the ledger.
async fn agree(stage: &Stage, folder: &Folder, ledger: SocketAddr) {
    let service = folder.settings.uuid;
    let thumbprint = hjemmel::hex::encode(&stage.keys.credentials(Role::Korsbaek).thumbprint());
    let agreement = |id: u8, side: &str, system: &str, certificates: &str| {
        format!(
            "[[agreement]]\nid = \"5a9e0000-0000-4000-8000-00000002000{id}\"\nside = \"{side}\"\nsystem = \"{system}\"\ncertificates = \
             [{certificates}]\nservice = \"{service}\"\nauthority = \"{KORSBAEK}\"\nenvironment = \"demo\"\nvalid_from = \
             \"2026-01-01T00:00:00Z\"\nstate = \"GODKENDT\"\nlegal_basis = \"Lov om kommunernes styrelse §§ 45 og 57\"\npurpose = \"At bogføre \
             finansbilag\"\ndecided_by = \"Underskriver\"\ndecided_at = \"2026-01-01T00:00:00Z\"\nreason = \"bench\"\n"
        )
    };
    let front = agreement(1, "front", Role::Korsbaek.uuid(), &format!("\"{thumbprint}\""));
    let back = agreement(2, "back", Role::GatewayClient.uuid(), "");
    let import = Import::parse(&format!("{front}{back}"), &hjemmel::services::vocabulary()).unwrap();
    let route = format!(
        "[[route]]\nid = \"5a9e0000-0000-4000-8000-000000020003\"\nservice = \"{service}\"\nenvironment = \"demo\"\nsender = \"{KORSBAEK}\"\n\
         receiver = \"{KORSBAEK}\"\nvalid_from = \"2026-01-01\"\nsystem = \"5a9e0000-0000-4000-8000-000000020004\"\naddress = \
         \"https://localhost:{}{PATH}\"\nentity_id = \"http://entityid.eksempel.dk/bench/1\"\nsecurity = \"authority-context\"\nroots = \
         [\"pki/root.pem\"]\n",
        ledger.port()
    );
    let routes = file::parse(&route, &stage.world.dir).unwrap_or_else(|problems| panic!("{problems:?}"));
    let now = stage.world.clock.now();
    let store = Store::open(&hjemmel::store::Settings::sqlite(&stage.file("agreements.sqlite"))).await.unwrap();
    store.import(&import, now).await.unwrap();
    let decision = Decision { by: "Drift".to_owned(), reason: "bench".to_owned(), at: now };
    store.add_routes(&routes, InTheWay::Refuse, &decision).await.unwrap();
    store.close().await;
}

/// CPU time of this program, all its threads, in seconds.
fn process_cpu() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// Another program's validator, asked for so many passes at a time over files that it holds; tells CPU nanoseconds.
struct Judge {
    process: Child,
    ask: Option<ChildStdin>,
    told: BufReader<ChildStdout>,
}

impl Judge {
    fn start(command: &mut Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (ask, told) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        Self { process, ask, told }
    }

    /// libxml2, compiled here: reads a document into its tree and validates it.
    fn libxml2(schema: &Path, files: &[&Path]) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/gateway/rivals/validate.c");
        let program = std::env::temp_dir().join(format!("hjemmel-libxml2-{}", std::process::id()));
        let flags = super::process::said("xml2-config", &["--cflags", "--libs"]);
        let built = Command::new("cc").arg("-O2").arg(&source).arg("-o").arg(&program).args(flags.split_whitespace()).status();
        assert!(built.is_ok_and(|built| built.success()), "cc with libxml2-dev is needed: apt-get install gcc libxml2-dev");
        Self::start(Command::new(&program).arg(schema).args(files))
    }

    fn jdk(schema: &Path, file: &Path) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/gateway/rivals/Validate.java");
        Self::start(Command::new("java").arg("-Xms512m").arg(source).arg(schema).arg(file))
    }

    /// CPU time of a pass, in seconds.
    fn ask(&mut self, many: u32) -> f64 {
        writeln!(self.ask.as_mut().unwrap(), "{many}").unwrap();
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        line.trim().parse::<f64>().unwrap_or_else(|_| panic!("the judge says {line:?}")) / 1e9 / f64::from(many)
    }

    /// Warms up, and returns how many passes make a turn.
    fn warm(&mut self) -> u32 {
        let started = Instant::now();
        loop {
            let one = self.ask(1).min(self.ask(5));
            if started.elapsed() > WARM {
                return ((TURN.as_secs_f64() / one.max(1e-7)) as u32).clamp(1, 5_000);
            }
        }
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        self.ask.take();
        let _ = self.process.wait();
    }
}
