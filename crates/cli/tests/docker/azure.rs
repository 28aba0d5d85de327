//! `docs/azure.md`, with the real Docker: every command of it, as a reader types it, and a registry as the page has one configured.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tufstore_testkit::digest;

use crate::engine::{CLIENTS, Client, free_port, write};
use crate::page::{Played, Step, page, steps, yaml};
use crate::{ENGINE, common};

const OF_AZURE: &str = "contoso.azurecr.io/team/app";

/// A registry that believes the trust server's tokens. It ends when this is dropped.
struct Registry {
    child: Child,
    _root: TempDir,
}

impl Registry {
    /// On the port by which the page's registry is called in this test.
    fn start(played: &Played) -> Self {
        let root = tempfile::tempdir().unwrap();
        let (address, folder) = (&played.registry, root.path().join("registry"));
        let storage = format!("storage:\n  filesystem:\n    rootdirectory: {}\n", folder.display());
        let config =
            format!("version: 0.1\n{storage}http:\n  addr: {address}\n{}", played.named(&yaml(&page())));
        write(&root.path().join("config.yml"), config.as_bytes());
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(root.path().join("config.yml")).current_dir(played.folder.path());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let is_there = (0..600).any(|_| {
            thread::sleep(Duration::from_millis(50));
            TcpStream::connect(address).is_ok()
        });
        assert!(is_there, "no registry with {config}");
        Self { child, _root: root }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The page, and what is there before it begins: images, and what the operator inspected in Azure.
fn begun(client: &Client) -> Played {
    let mut played = Played::new(&format!("127.0.0.1:{}", free_port()), &[]);
    std::os::unix::fs::symlink(&client.path, played.programs.join("docker")).unwrap();
    let socket = format!("unix://{}", ENGINE.path("engine.sock").display());
    played.variables = vec![
        ("DOCKER_HOST", socket),
        ("DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE", "a passphrase".to_owned()),
        ("DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE", "a passphrase".to_owned()),
    ];
    for tag in ["v1", "v2"] {
        ENGINE.image(&format!("{}/team/app:{tag}", played.registry), tag);
    }
    let mut azure = common::Server::new(OF_AZURE, common::now());
    azure.author.set_tag("v1", digest("one"), 1);
    azure.publish();
    azure.write_cache(&played.home("the operator").join(".docker/trust/tuf").join(OF_AZURE).join("metadata"));
    played
}

#[test]
fn every_command_of_the_page_for_those_who_come_from_azure_works_with_docker() {
    for client in CLIENTS.iter() {
        let mut played = begun(client);
        let mut registry = None;
        for step in &steps(&page()) {
            if step.command.starts_with("docker ") {
                registry.get_or_insert_with(|| Registry::start(&played));
            }
            let said = played.run(step);
            assert_eq!(said.code, step.code, "{step:?} with {client:?}: {}", said.text);
        }
        // The registry lets nobody in but those whom the page let in.
        let tries = [("bob.password", "alice", 1), ("alice.password", "alice", 0), ("ci.token", "ci", 0)];
        for (file, name, code) in tries {
            let login = "docker login registry.example.com --username";
            let command = format!("{login} {name} --password-stdin < {file}");
            let said = played.run(&Step { who: "the operator", command, code });
            assert_eq!(said.code, code, "{name} with {file}: {}", said.text);
        }
        let pushed =
            Step { who: "bob", command: format!("docker push {}/team/app:v2", played.registry), code: 1 };
        let said = played.run(&pushed);
        assert!(said.code != 0 && said.text.contains("denied"), "{}", said.text);
    }
}
