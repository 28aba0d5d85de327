//! A password, without showing it to anybody.

use std::fs;
use std::io::{self, IsTerminal as _, Read as _};

use tufstore_server::directory::Password;
use zeroize::Zeroizing;

use crate::args::GivenPassword;
use crate::failure::Failure;

/// As it was given: `None`, if there is to be none.
pub(super) fn read(given: &GivenPassword) -> Result<Option<Password>, Failure> {
    if given.no_password {
        return Ok(None);
    }
    let text = if let Some(path) = &given.password_file {
        let doing = format!("reading the password in {}", path.display());
        Zeroizing::new(fs::read_to_string(path).map_err(|source| Failure::File { doing, source })?)
    } else if given.password_stdin {
        let mut text = Zeroizing::new(String::new());
        io::stdin().read_to_string(&mut text).map_err(typing)?;
        text
    } else if io::stdin().is_terminal() {
        typed()?
    } else {
        return Err(Failure::Missing { what: "--password-stdin, --password-file or --no-password" });
    };
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    Ok(Some(Password::new(Zeroizing::new(line.to_owned()))))
}

/// Twice, since nobody sees it.
fn typed() -> Result<Zeroizing<String>, Failure> {
    let ask = |prompt| rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(typing);
    loop {
        let (first, second) = (ask("Password: ")?, ask("Once more: ")?);
        if first == second {
            return Ok(first);
        }
        crate::output::note("these are two different passwords");
    }
}

fn typing(source: io::Error) -> Failure {
    Failure::File { doing: "reading the password".to_owned(), source }
}
