//! `docs/azure.md`, with the real Docker: every command of it, as a reader types it.

use tufstore_testkit::digest;

use crate::engine::{CLIENTS, ELSEWHERE};
use crate::page::{Played, page, steps};
use crate::{ENGINE, common};

const OF_AZURE: &str = "contoso.azurecr.io/team/app";

/// In a registry for which Docker verifies the trust server, and which takes any name and password.
#[test]
fn every_command_of_the_page_for_those_who_come_from_azure_works_with_docker() {
    for client in CLIENTS.iter() {
        let registry = format!("{ELSEWHERE}:{}", ENGINE.registry);
        let mut played = Played::new(&registry, &[]);
        std::os::unix::fs::symlink(&client.path, played.programs.join("docker")).unwrap();
        let socket = format!("unix://{}", ENGINE.path("engine.sock").display());
        played.variables = vec![
            ("DOCKER_HOST", socket),
            ("DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE", "a passphrase".to_owned()),
            ("DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE", "a passphrase".to_owned()),
        ];
        for tag in ["v1", "v2", "unsigned"] {
            ENGINE.image(&format!("{registry}/team/app:{tag}"), tag);
        }
        let mut azure = common::Server::new(OF_AZURE, common::now());
        azure.author.set_tag("v1", digest("one"), 1);
        azure.publish();
        azure.write_cache(&played.home("bob").join(".docker/trust/tuf").join(OF_AZURE).join("metadata"));
        for step in &steps(&page()) {
            let said = played.run(step);
            assert_eq!(said.code, step.code, "{step:?} with {client:?}: {}", said.text);
        }
    }
}
