//! `docs/azure.md`: every command of it works. Docker is not needed here: [`Docker`] stands in for it, and `./test clients` has the real one.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;
mod page;
mod people;
mod serving;

use std::collections::BTreeMap;
use std::fs;

use common::{now, write};
use page::{Played, Said, Step, page, steps};
use tufstore::crypto::KeyAlgorithm;
use tufstore::metadata::write::AuthorKey;
use tufstore::terms::{RoleName, Threshold};
use tufstore_client::Author;
use tufstore_keys::PrivateKey;
use tufstore_testkit::digest;

/// The name stays as the page has it.
const REGISTRY: &str = "registry.example.com";
const OF_AZURE: &str = "contoso.azurecr.io/team/app";

#[test]
fn every_command_of_the_page_for_those_who_come_from_azure_does_what_it_says() {
    let mut played = Played::new(REGISTRY, &["--no-tls"]);
    // What a server with TLS would have made, and what the operator inspected in Azure before.
    write(&played.folder.path().join("store/tls/ca.crt"), b"a certificate");
    inspected_in_azure(&played);
    let mut docker = Docker::default();
    let steps = steps(&page());
    assert!(steps.len() > 60, "the page was not found");
    for step in &steps {
        let said = match step.command.split(' ').next() {
            Some("docker") => docker.stand_in(&played, step),
            Some("curl") => fetch(&played, step),
            _ => played.run(step),
        };
        assert_eq!(said.code, step.code, "{step:?}: {}", said.text);
    }
    // Last of all, the registry of Azure's was disabled, and nothing else was.
    let left = played.shell("the operator", "tufstore repositories --data store").text;
    assert!(left.contains("registry.example.com/team/app") && !left.contains("azurecr"), "{left}");
}

/// Without TLS, and without curl.
fn fetch(played: &Played, step: &Step) -> Said {
    let words: Vec<_> = step.command.split_whitespace().collect();
    let ["curl", "--cacert", _, "--output", file, url] = words[..] else { panic!("{step:?}") };
    let path = url.strip_prefix("https://trust.example.com:4443").unwrap();
    let answer = played.server().get(path);
    write(&played.folder.path().join(file), &answer.body);
    Said { code: i32::from(answer.status != 200), text: answer.text() }
}

fn inspected_in_azure(played: &Played) {
    let mut azure = common::Server::new(OF_AZURE, now());
    azure.author.set_tag("v1", digest("one"), 1);
    azure.publish();
    azure.write_cache(&played.home("the operator").join(".docker/trust/tuf").join(OF_AZURE).join("metadata"));
}

/// Does at the server what Docker would: with what somebody logged in with, and a token for each command.
#[derive(Default)]
struct Docker {
    /// Name and secret of who is logged in.
    logins: BTreeMap<&'static str, (String, String)>,
    /// Who made which signer's key.
    keys: BTreeMap<String, (&'static str, PrivateKey)>,
    /// Of each repository.
    authors: BTreeMap<String, Author>,
}

impl Docker {
    /// A command of Docker's that is not among these is a failure: have something stand in for it.
    fn stand_in(&mut self, played: &Played, step: &Step) -> Said {
        let words: Vec<_> = step.command.split_whitespace().collect();
        let done = match words[1..] {
            ["login", REGISTRY, "--username", name, "--password-stdin", "<", file] => {
                let secret = fs::read_to_string(played.folder.path().join(file)).unwrap();
                self.logins.insert(step.who, (name.to_owned(), secret.trim_end().to_owned()));
                let scope = format!("repository:{REGISTRY}/team/app:pull");
                self.token(played, step, &scope).map(drop)
            }
            ["trust", "key", "generate", name, "--dir", "."] => {
                let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
                write(&played.folder.path().join(format!("{name}.pub")), b"a public key");
                self.keys.insert(name.to_owned(), (step.who, key));
                Ok(())
            }
            ["trust", "signer", "add", "--key", file, name, repository] => {
                assert!(played.folder.path().join(file).exists());
                self.add_signer(played, step, name, repository)
            }
            ["push", image] | ["trust", "sign", image] => self.set(played, step, image, true),
            ["trust", "revoke", "--yes", image] => self.set(played, step, image, false),
            ["pull", image] => {
                let (repository, tag) = image.rsplit_once(':').unwrap();
                assert_ne!(tag, "unsigned");
                self.read(played, step, repository)
            }
            ["trust", "inspect", repository] => self.read(played, step, repository),
            _ => panic!("nothing stands in for it: {step:?}"),
        };
        Said { code: i32::from(done.is_err()), text: done.err().unwrap_or_default() }
    }

    fn token(&self, played: &Played, step: &Step, scope: &str) -> Result<String, String> {
        let (name, secret) = self.logins.get(step.who).ok_or("not logged in")?;
        let answer = people::ask_token(played.server(), name, secret, scope);
        if answer.status != 200 {
            return Err(answer.text());
        }
        let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        Ok(format!("Authorization: Bearer {}\r\n", answer["token"].as_str().unwrap()))
    }

    fn to_sign(&self, played: &Played, step: &Step, repository: &str) -> Result<String, String> {
        self.token(played, step, &format!("repository:{repository}:push,pull"))
    }

    /// Into a cache, as far as it decides: the root is kept, another one is refused, and where there is none any more the cache counts.
    fn read(&self, played: &Played, step: &Step, repository: &str) -> Result<(), String> {
        let token = self.token(played, step, &format!("repository:{repository}:pull"))?;
        let cache =
            played.home(step.who).join(".docker/trust/tuf").join(repository).join("metadata/root.json");
        let known = fs::read(&cache).ok();
        let path = format!("/v2/{repository}/_trust/tuf/1.root.json");
        let answer = played.server().http_with("GET", &path, &token, b"");
        match (answer.status, known) {
            (200, None) => {
                write(&cache, &answer.body);
                Ok(())
            }
            (200, Some(known)) if known == answer.body => Ok(()),
            (200, Some(_)) => Err("could not rotate trust to a new trusted root".to_owned()),
            (404, Some(_)) => Ok(()),
            (status, _) => Err(format!("{status}")),
        }
    }

    /// Begins the repository, if it is not there.
    fn add_signer(
        &mut self,
        played: &Played,
        step: &Step,
        name: &str,
        repository: &str,
    ) -> Result<(), String> {
        let token = self.to_sign(played, step, repository)?;
        let server = played.server();
        let is_new = people::status(server, &token, repository, "root.json") == 404;
        if is_new {
            let author =
                people::author(server, &token, repository, now()).map_err(|code| code.to_string())?;
            self.authors.insert(repository.to_owned(), author);
        }
        let mut author = self.authors[repository].clone();
        let key = AuthorKey::bare(self.keys[name].1.public().clone());
        for role in [format!("targets/{name}"), "targets/releases".to_owned()] {
            let role: RoleName = role.parse().unwrap();
            author.hold(&role, self.keys[name].1.clone());
            let all = if role.as_str().ends_with("releases") && !is_new {
                self.keys_of_all()
            } else {
                vec![key.clone()]
            };
            author.add_delegation(&role, all, &[""], Threshold::ONE).unwrap();
        }
        self.publish(played, &token, &author)?;
        self.read(played, step, repository)
    }

    fn keys_of_all(&self) -> Vec<AuthorKey> {
        self.keys.values().map(|(_, key)| AuthorKey::bare(key.public().clone())).collect()
    }

    fn publish(&mut self, played: &Played, token: &str, author: &Author) -> Result<(), String> {
        let next = people::publish(played.server(), token, author, now()).map_err(|answer| answer.text())?;
        self.authors.insert(author.repository().to_string(), next);
        Ok(())
    }

    /// In each signer's role whose key somebody has, and in that which Docker looks into.
    fn set(&mut self, played: &Played, step: &Step, image: &str, there: bool) -> Result<(), String> {
        let (repository, tag) = image.rsplit_once(':').unwrap();
        let token = self.to_sign(played, step, repository)?;
        let mut author = self.authors[repository].clone();
        let own = self.keys.iter().filter(|(_, (who, _))| *who == step.who).map(|(name, _)| name.as_str());
        for name in own.chain(["releases"]) {
            let role: RoleName = format!("targets/{name}").parse().unwrap();
            if there {
                author.set_tag_in(&role, tag, digest(tag), 1).unwrap();
            } else {
                assert!(author.remove_tag_in(&role, tag));
            }
        }
        self.publish(played, &token, &author)
    }
}

#[test]
fn a_command_that_somebody_adds_to_the_page_is_run() {
    let page = "```sh\n# alice\none   # exit code 3\n```\n```yaml\nnone\n```\n```sh\n# the operator\ntwo | three\n```\n";
    let step = |who, command: &str, code| Step { who, command: command.to_owned(), code };
    assert_eq!(steps(page), [step("alice", "one", 3), step("the operator", "two | three", 0)]);
}

#[test]
#[should_panic(expected = "nobody of")]
fn a_block_that_does_not_say_who_types_it_is_found() {
    steps("```sh\ntufstore user list\n```\n");
}
