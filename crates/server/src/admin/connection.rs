use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::line::{Greeting, NAME, PROTOCOL, Said};
use super::{Ask, Progress, Question, Refusal};

/// How long a server may take to greet.
const GREETING: Duration = Duration::from_secs(10);

/// A connection to the server that has a store open. Blocks.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<UnixStream>,
    greeting: Greeting,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No server listens there, or it does not talk.
    #[error("no server answers there")]
    Io(#[from] io::Error),
    /// It is of another release.
    #[error("the server there is tufstore {version}, which speaks another language (protocol {protocol})")]
    OtherProtocol {
        /// The server's release.
        version: String,
        /// What it speaks.
        protocol: u32,
    },
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The server said why.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The connection broke.
    #[error("the connection to the server broke")]
    Io(#[from] io::Error),
    /// What it said makes no sense here.
    #[error("the server said what is not understood here")]
    Garbled(#[from] serde_json::Error),
    /// It did not take the question.
    #[error("the server did not take the question: {0}")]
    Misunderstood(String),
}

impl Connection {
    /// Connects to the server that has the store in `folder` open.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn open(folder: &Path) -> Result<Self, ConnectError> {
        let stream = UnixStream::connect(folder.join(NAME))?;
        // A server greets at once; an answer may take its time.
        stream.set_read_timeout(Some(GREETING))?;
        let mut stream = BufReader::new(stream);
        let greeting: Greeting = serde_json::from_str(&read_line(&mut stream)?).map_err(io::Error::from)?;
        stream.get_ref().set_read_timeout(None)?;
        if greeting.protocol != PROTOCOL {
            let Greeting { tufstore: version, protocol, .. } = greeting;
            return Err(ConnectError::OtherProtocol { version, protocol });
        }
        Ok(Self { stream, greeting })
    }

    /// The server's release.
    pub fn version(&self) -> &str {
        &self.greeting.tufstore
    }

    /// The server's process.
    pub fn process(&self) -> u32 {
        self.greeting.process
    }

    /// Asks, and waits for the answer, however long that takes.
    ///
    /// # Errors
    /// [`AskError`].
    pub fn ask<Q: Question>(
        &mut self,
        question: Q,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Q::Answer, AskError> {
        let ask: Ask = question.into();
        let mut line = serde_json::to_vec(&ask)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line)?;
        loop {
            match serde_json::from_str(&read_line(&mut self.stream)?)? {
                Said::Progress(made) => progress(made),
                Said::Answer(answer) => return Ok(serde_json::from_value(answer)?),
                Said::Refused(refusal) => return Err(refusal.into()),
                Said::Misunderstood(why) => return Err(AskError::Misunderstood(why)),
            }
        }
    }
}

fn read_line(stream: &mut BufReader<UnixStream>) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line)
}
