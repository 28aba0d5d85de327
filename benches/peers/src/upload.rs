//! Publications over HTTPS, signed beforehand: how many a second a server takes, and what each costs its processor.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tufstore::crypto::PublicKey;
use tufstore::terms::UnixTime;
use tufstore_client::{Author, AuthorKeys, OnlineKeysOfServer, Signed};
use tufstore_testkit::digest;

use crate::questions::tag;
use crate::table;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where a server listens.
    #[arg(long)]
    address: String,
    /// The certificate to trust.
    #[arg(long)]
    ca: PathBuf,
    /// The server's process.
    #[arg(long)]
    pid: u32,
    /// How many publish at once, each into a repository of its own.
    #[arg(long, default_value_t = 8)]
    publishers: usize,
    #[arg(long, default_value_t = 20)]
    tags: usize,
    /// Of each publisher.
    #[arg(long, default_value_t = 250)]
    publications: usize,
}

pub(crate) fn run(args: &Args) {
    let server = Server::new(&args.address, &args.ca);
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let now = UnixTime::from_seconds(i64::try_from(seconds).unwrap());
    let mut rows = Vec::new();
    for kept in [true, false] {
        let prepared: Vec<_> = (0..args.publishers)
            .map(|number| prepare(&server, args, &format!("localhost/upload/{seconds}/{kept}/{number}"), now))
            .collect();
        let before = processor(args.pid);
        let began = Instant::now();
        let mut each: Vec<Duration> = thread::scope(|scope| {
            let publishers: Vec<_> =
                prepared.iter().map(|requests| scope.spawn(|| send(&server, requests, kept))).collect();
            publishers.into_iter().flat_map(|publisher| publisher.join().unwrap()).collect()
        });
        let (took, used) = (began.elapsed(), processor(args.pid) - before);
        each.sort_unstable();
        let at = |part: usize| format!("{:.2}", each[each.len() * part / 100].as_secs_f64() * 1e3);
        rows.push(vec![
            if kept { "kept" } else { "new for each" }.to_owned(),
            format!("{:.0}", each.len() as f64 / took.as_secs_f64()),
            format!("{:.3}", used / each.len() as f64 * 1e3),
            at(50),
            at(99),
        ]);
    }
    let title = format!("{} publishers over HTTPS, {} tags each", args.publishers, args.tags);
    table::print(&title, &["connections", "a second", "processor, ms", "median, ms", "99 %, ms"], &rows);
}

/// Publishes a repository, and signs what is to be published next.
fn prepare(server: &Server, args: &Args, name: &str, now: UnixTime) -> Vec<Vec<u8>> {
    let key = |role: &str| {
        let answer = server
            .ask(&mut server.connect(), &request("GET", &format!("/v2/{name}/_trust/tuf/{role}.key"), &[]));
        let key: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        let public = STANDARD.decode(key["keyval"]["public"].as_str().unwrap()).unwrap();
        PublicKey::from_spki(&public).unwrap()
    };
    let online = OnlineKeysOfServer { timestamp: key("timestamp"), snapshot: Some(key("snapshot")) };
    let mut author =
        Author::begin(name.parse().unwrap(), AuthorKeys::generate().unwrap(), online, now).unwrap();
    for at in 0..args.tags {
        author.set_tag(&tag(at), digest(&format!("{name}/{at}")), 1_000);
    }
    let mut requests = (0..=args.publications).scan(author, |author, count| {
        author.set_tag(&tag(count % args.tags), digest(&format!("{name} moved {count}")), 1_000);
        let Signed { upload, next, .. } = author.sign(now).unwrap();
        *author = next;
        let mut body = Vec::new();
        for (role, bytes) in upload.files() {
            let head =
                format!("--B\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{role}\"\r\n\r\n");
            body.extend(head.as_bytes());
            body.extend(&**bytes);
            body.extend(b"\r\n");
        }
        body.extend(b"--B--\r\n");
        Some(request("POST", &format!("/v2/{name}/_trust/tuf/"), &body))
    });
    server.ask(&mut server.connect(), &requests.next().unwrap());
    requests.collect()
}

fn request(method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn send(server: &Server, requests: &[Vec<u8>], kept: bool) -> Vec<Duration> {
    let mut stream = server.connect();
    let mut fresh = true;
    requests
        .iter()
        .map(|request| {
            let began = Instant::now();
            if !kept && !fresh {
                stream = server.connect();
            }
            fresh = false;
            server.ask(&mut stream, request);
            began.elapsed()
        })
        .collect()
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

struct Server {
    address: String,
    config: Arc<ClientConfig>,
}

impl Server {
    fn new(address: &str, ca: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Self { address: address.to_owned(), config: Arc::new(config) }
    }

    fn connect(&self) -> Stream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        StreamOwned::new(ClientConnection::new(Arc::clone(&self.config), name).unwrap(), stream)
    }

    /// The body of the answer, which has to be a good one.
    fn ask(&self, stream: &mut Stream, request: &[u8]) -> Vec<u8> {
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        loop {
            let mut some = [0; 16 << 10];
            let read = stream.read(&mut some).unwrap();
            assert_ne!(read, 0, "the server hung up");
            answer.extend(&some[..read]);
            let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
            assert!(text.starts_with("http/1.1 200"), "{}", String::from_utf8_lossy(&answer));
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap();
            if answer.len() >= head + 4 + length.trim().parse::<usize>().unwrap() {
                return answer.split_off(head + 4);
            }
        }
    }
}

/// Seconds that a process and its threads have used.
fn processor(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // A hundred ticks a second, on every Linux there is.
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
