//! The trust server: its arguments to settings, its log, its signals.

use std::env;
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStringExt as _;
use std::panic;
use std::process;

use serde::Serialize;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tufstore_server::settings::{
    self, Given, GivenKeys, GivenLog, GivenTls, Level, Log, LogFormat, Passphrase,
};
use tufstore_server::{Checked, Clock, Reloader, Server, Settings};

use crate::args;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Output};

pub(super) const PASSPHRASE: &str = "TUFSTORE_PASSPHRASE";

#[derive(Serialize)]
struct Listening {
    listening: String,
}

#[derive(Serialize)]
struct WouldStart {
    listen: SocketAddr,
    master_key: &'static str,
    certificate: &'static str,
}

/// `tufstore serve`
pub(crate) fn serve(args: &args::Serve, output: Output) -> Result<(), Failure> {
    let settings = settings(args)?;
    start_log(settings.log)?;
    let runtime = Runtime::new().map_err(Failure::file("starting the event loop"))?;
    if args.check_config {
        let checked = runtime.block_on(Server::check(&settings))?;
        return would_start(checked, output);
    }
    let ended = runtime.block_on(run(settings, output));
    // A long reading that somebody asked for may still go on; it is not waited for.
    runtime.shutdown_background();
    ended
}

async fn run(settings: Settings, output: Output) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let (open, made_here) = (!settings.listen.ip().is_loopback(), made_here(&settings));
    // A large store takes a while to open, on a thread of its own, so that a signal is heard meanwhile.
    let starting = tokio::spawn(Server::start(settings, Clock::system()));
    let server = tokio::select! {
        started = starting => started.unwrap_or_else(|broken| panic::resume_unwind(broken.into_panic()))?,
        () = signals.asked() => {
            tracing::info!("ended before the start was over; nothing is lost by that");
            return Ok(());
        }
    };
    let url = server.url();
    output.result(&Listening { listening: url.clone() }, format_args!("listening on {url}"))?;
    if let Some(path) = server.made_key_file() {
        output::note(format_args!(
            "the key file {} was made: it opens the keys that this server signs with. Whoever has it and the data can sign; \
             without it nobody can. Keep a copy of it, apart from copies of the data",
            path.display()
        ));
    }
    if let Some(certificate) = made_here {
        let port = server.address().port();
        output::note(format_args!(
            "clients have to trust {certificate}: for Docker, copy it to ~/.docker/tls/localhost:{port}/ca.crt; \
             for notary, give --tlscacert"
        ));
    }
    if server.is_open() {
        output::note(if open {
            "there are no users, no token service is named, and other machines reach this server: whoever does can publish and delete"
        } else {
            "there are no users, and no token service is named: whoever reaches this server can publish and delete"
        });
    }
    let certificate = server.certificate();
    let ended = async move { signals.wait(certificate).await };
    server.run(ended).await.map_err(Failure::from)
}

/// The certificate to trust, if the server makes it.
fn made_here(settings: &Settings) -> Option<String> {
    match settings.tls {
        settings::Tls::MadeHere { .. } => Some(settings.data.join("tls/ca.crt").display().to_string()),
        settings::Tls::Files { .. } | settings::Tls::Off | _ => None,
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(Failure::file("listening for signals"));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Until the server is asked to end while it starts.
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Until the server is asked to end; asked a second time, the process ends at once.
    async fn wait(&mut self, certificate: Option<Reloader>) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => break,
                _ = self.terminate.recv() => break,
                _ = self.hangup.recv() => reload(certificate.as_ref()),
            }
        }
        tracing::info!("ending: what has begun is finished; ask again to end at once");
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt()).ok(), signal(SignalKind::terminate()).ok());
        tokio::spawn(async move {
            tokio::select! {
                () = next(&mut interrupt) => {}
                () = next(&mut terminate) => {}
            }
            tracing::warn!("ended at once: the next start has to recover");
            process::exit(Exit::Failure.code().into());
        });
    }
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

fn reload(certificate: Option<&Reloader>) {
    let Some(certificate) = certificate else { return };
    match certificate.reload() {
        Ok(()) => tracing::info!("the certificate was read again"),
        Err(error) => tracing::error!(error = output::chain(&error), "the certificate stays as it was"),
    }
}

fn would_start(checked: Checked, output: Output) -> Result<(), Failure> {
    let state = |there| if there { "is there" } else { "would be made" };
    let listen = checked.address;
    let (master_key, certificate) = (state(checked.has_master_key), state(checked.has_certificate));
    let text = output::facts(&[
        ("listen", listen.to_string()),
        ("master key", master_key.to_owned()),
        ("certificate", certificate.to_owned()),
        ("would start", "yes".to_owned()),
    ]);
    output.result(&WouldStart { listen, master_key, certificate }, text)
}

/// Flags and variables above the file, the file above the defaults.
fn settings(args: &args::Serve) -> Result<Settings, Failure> {
    let mut given = given(args);
    if let Some(path) = &args.config {
        let (file, ignored) = settings::read(path, &|name| env::var(name).ok())?;
        for setting in ignored {
            output::note(format_args!("{}: {} has no effect: {}", path.display(), setting.key, setting.why));
        }
        given = above(given, file);
    }
    Ok(Settings::of(given)?)
}

/// What belongs together is taken from one of both.
fn above(given: Given, mut file: Given) -> Given {
    let keys = &given.keys;
    if keys.passphrase.is_some() || keys.passphrase_file.is_some() || keys.key_file.is_some() {
        (file.keys.passphrase_file, file.keys.key_file) = (None, None);
    }
    if given.tls != GivenTls::default() {
        file.tls = GivenTls::default();
    }
    given.or(file)
}

fn given(args: &args::Serve) -> Given {
    let list = |values: &Vec<String>| (!values.is_empty()).then(|| values.clone());
    // On the command line, a file of either kind stands above the variable.
    let passphrase = env::var_os(PASSPHRASE).filter(|text| !text.is_empty());
    let passphrase = passphrase.filter(|_| args.passphrase_file.is_none() && args.key_file.is_none());
    Given {
        data: args.data.clone(),
        second_journal: args.kept.second_journal.clone(),
        anchor: args.kept.anchor.clone(),
        listen: args.listen,
        insecure_open: args.insecure_open.then_some(true),
        tls: GivenTls {
            certificate: args.tls_cert.clone(),
            key: args.tls_key.clone(),
            client_ca: args.client_ca.clone(),
            names: list(&args.tls_name),
            off: args.no_tls.then_some(true),
        },
        keys: GivenKeys {
            passphrase: passphrase.map(|text| Passphrase::new(text.into_vec())),
            passphrase_file: args.passphrase_file.clone(),
            key_file: args.key_file.clone(),
            algorithm: None,
            new_master_key: args.new_master_key.then_some(true),
        },
        gun_prefixes: list(&args.gun_prefix),
        log: GivenLog {
            level: args.log_level.map(|level| match level {
                args::LogLevel::Error => Level::Error,
                args::LogLevel::Warn => Level::Warn,
                args::LogLevel::Info => Level::Info,
                args::LogLevel::Debug => Level::Debug,
                args::LogLevel::Trace => Level::Trace,
            }),
            format: args.log_format.map(|format| match format {
                args::LogFormat::Text => LogFormat::Text,
                args::LogFormat::Json => LogFormat::Json,
            }),
        },
        ..Given::default()
    }
}

/// The log goes to standard error. `RUST_LOG` may say more exactly what of it.
fn start_log(log: Log) -> Result<(), Failure> {
    let level = match log.level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    let exactly = env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let filter = if exactly.is_empty() {
        EnvFilter::new(level)
    } else {
        EnvFilter::try_new(&exactly).map_err(|source| Failure::LogFilter { filter: exactly, source })?
    };
    let log_to = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    let started = match log.format {
        LogFormat::Json => log_to.json().try_init(),
        LogFormat::Text | _ => log_to.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).try_init(),
    };
    started.map_err(|error| Failure::file("starting the log")(io::Error::other(error)))
}
