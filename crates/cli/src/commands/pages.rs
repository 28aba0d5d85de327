//! Completion scripts and manual pages, made from the same words as `--help`.

use std::fs;

use clap::CommandFactory;

use crate::args::{self, Cli};
use crate::failure::Failure;
use crate::output;

/// `tufstore completions`
pub(crate) fn completions(args: &args::Completions) -> Result<(), Failure> {
    // Into memory first: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tufstore", &mut script);
    output::write(&script)
}

/// `tufstore man`
pub(crate) fn man(args: &args::Man) -> Result<(), Failure> {
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(Failure::Output)?;
        return output::write(&page);
    };
    let writing = || format!("writing the pages to {}", folder.display());
    fs::create_dir_all(folder).map_err(Failure::file(writing()))?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(Failure::file(writing()))
}
