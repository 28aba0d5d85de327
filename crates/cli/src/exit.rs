use std::process::ExitCode;

/// What the process says to who started it. `--help` lists the same; [`Exit::TABLE`] is the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// Done, found, sound.
    Success,
    /// The answer is no: no such tag, repository or document; a store that is not sound.
    No,
    /// The command line was not understood, or a confirmation is missing.
    Usage,
    /// The tag is there, but metadata on the way to it has expired.
    Expired,
    /// Everything else that went wrong.
    Failure,
}

impl Exit {
    /// For `--help` and the man pages.
    pub(crate) const TABLE: &'static str = "\
Exit codes:
  0  done; the tag, repository or document is there; the store is sound
  1  no such tag, repository or document; verify, scrub: the store is not sound; repair: not all could be saved; check: something has to be done; signed: an image may not run; audit --verify: a line is not sound
  2  the command line was not understood, or a confirmation is missing
  3  the tag is there, but metadata on the way to it has expired; check: something has expired; signed: what signs it has
  4  anything else went wrong; standard error says what, why, and what to do";

    /// The number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::No => 1,
            Self::Usage => 2,
            Self::Expired => 3,
            Self::Failure => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained() {
        for exit in [Exit::Success, Exit::No, Exit::Usage, Exit::Expired, Exit::Failure] {
            let line = format!("\n  {}  ", exit.code());
            assert!(Exit::TABLE.contains(&line), "{exit:?}");
        }
    }
}
