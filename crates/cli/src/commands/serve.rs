//! The trust server.

use serde::Serialize;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tufstore_server::{Clock, Server, Settings};

use crate::args;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Serialize)]
struct Listening {
    listening: String,
}

/// `tufstore serve`
pub(crate) fn serve(args: &args::Serve, output: Output) -> Result<(), Failure> {
    let mut settings = Settings::new(&args.data);
    settings.listen = args.listen;
    let runtime = Runtime::new().map_err(Failure::file("starting the event loop"))?;
    runtime.block_on(async {
        let mut term = signal(SignalKind::terminate()).map_err(Failure::file("listening to signals"))?;
        let server =
            Server::start(settings, Clock::system()).await.map_err(Failure::keys("starting the server"))?;
        output
            .result(&Listening { listening: server.url() }, format_args!("listening on {}", server.url()))?;
        let ended = async move {
            term.recv().await;
        };
        server.run(ended).await.map_err(Failure::keys("running the server"))
    })
}
