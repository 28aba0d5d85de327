//! Calls at a rate that is held whatever the answers take: a call's time counts from when it was due, so that slow answers are
//! not hidden by those that were not asked meanwhile.

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::table;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where a server listens, without TLS.
    #[arg(long, default_value = "127.0.0.1:4443")]
    address: String,
    #[arg(long, default_value = "/v1/lookup")]
    path: String,
    /// What is posted; without one, the path is got.
    #[arg(long)]
    body: Option<PathBuf>,
    /// Calls a second, of all connections together.
    #[arg(long, default_value_t = 10_000)]
    rate: u32,
    /// Connections that stay open.
    #[arg(long, default_value_t = 1_000)]
    connections: u32,
    #[arg(long, default_value_t = 10)]
    seconds: u32,
}

pub(crate) fn run(args: &Args) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let request = request(args);
    let mut times = runtime.block_on(async {
        let mut streams = Vec::new();
        for _ in 0..args.connections {
            let stream = TcpStream::connect(&args.address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            streams.push(stream);
        }
        let begin = Instant::now() + Duration::from_millis(200);
        let tasks: Vec<_> = streams
            .into_iter()
            .zip(0..)
            .map(|(stream, number)| tokio::spawn(ask(stream, request.clone(), due(args, begin, number))))
            .collect();
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await.unwrap());
        }
        times
    });
    times.sort_unstable();
    let part = |part: f64| {
        let at = ((times.len() - 1) as f64 * part).round() as usize;
        format!("{:.2}", times[at].as_secs_f64() * 1e3)
    };
    let row = vec![
        args.rate.to_string(),
        args.connections.to_string(),
        times.len().to_string(),
        part(0.5),
        part(0.99),
        part(0.999),
        part(1.0),
    ];
    let heads = ["calls a second", "connections", "answered well", "median, ms", "99 %", "99.9 %", "longest"];
    table::print("a rate that is held", &heads, &[row]);
}

/// When the calls of one connection are due.
fn due(args: &Args, begin: Instant, number: u32) -> Vec<Instant> {
    let all = args.rate * args.seconds;
    let step = Duration::from_secs(1) / args.rate;
    (number..all).step_by(args.connections as usize).map(|call| begin + step * call).collect()
}

fn request(args: &Args) -> Vec<u8> {
    let Some(body) = &args.body else {
        return format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", args.path, args.address).into_bytes();
    };
    let body = std::fs::read(body).unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        args.path,
        args.address,
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

/// How long each call took. Any answer but a good one ends all.
async fn ask(mut stream: TcpStream, request: Vec<u8>, due: Vec<Instant>) -> Vec<Duration> {
    let mut times = Vec::with_capacity(due.len());
    let mut buffer = Vec::new();
    for due in due {
        sleep_until(due).await;
        stream.write_all(&request).await.unwrap();
        buffer.clear();
        let whole = loop {
            assert_ne!(stream.read_buf(&mut buffer).await.unwrap(), 0, "the server hung up");
            if let Some(whole) = length(&buffer) {
                break whole;
            }
        };
        while buffer.len() < whole {
            assert_ne!(stream.read_buf(&mut buffer).await.unwrap(), 0, "the server hung up");
        }
        assert!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer));
        times.push(due.elapsed());
    }
    times
}

/// Bytes of the whole answer, once its head is there.
fn length(buffer: &[u8]) -> Option<usize> {
    let end = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&buffer[..end]).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap();
    Some(end + length.trim().parse::<usize>().unwrap())
}
