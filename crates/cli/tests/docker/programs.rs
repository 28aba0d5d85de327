//! What signs without a person: tokens and service principals.

use std::process::Command;

use crate::engine::{User, said};
use crate::house::each;
use crate::repository;

const UNAUTHORISED: &str = "you are not authorized to perform this operation: server returned 401.";
const DENIED: &str = "denied: requested access to the resource is denied";

#[test]
fn a_token_signs_in_its_repository_and_in_no_other() {
    each(|house, client| {
        let (image, other) = (house.image("app:v1", "one"), house.image("other:v1", "two"));
        let of_app = ["--scope", repository(&image), "--may", "pull,push,sign", "--expires", "1h"];
        let token = house.json(&[&["token", "create", "of-app"], &of_app[..]].concat())["secret"].clone();
        let token = token.as_str().unwrap();
        house.stranger(client).login(&house.registry, "of-other", token).fails("unauthorized");
        let holder = house.login(client, "of-app", token);
        let digest = User::digest(&holder.run(&["push", &image]).ok());
        assert!(house.ours(&["lookup", repository(&image), "v1"]).contains(&digest));
        holder.run(&["pull", &image]).ok();
        holder.run(&["push", &other]).fails(DENIED);
        holder.run(&["trust", "sign", &other]).fails(UNAUTHORISED);
        assert_eq!(house.signed(), 1);

        // What lies in both is pushed again: from a repository that it may not read, none of it is taken over.
        house.tag(&other, &image);
        // One that pushes everywhere signs nowhere.
        let of_all = ["--scope", &house.registry, "--may", "pull,push"];
        let token = house.json(&[&["token", "create", "pushes"], &of_all[..]].concat())["secret"].clone();
        let pushes = house.login(client, "pushes", token.as_str().unwrap());
        pushes.without(&["push", &other]).ok();
        pushes.run(&["push", &other]).fails(UNAUTHORISED);
        assert_eq!(house.signed(), 1);
        holder.run(&["push", &image]).ok();

        house.ours(&["token", "revoke", "of-app"]);
        holder.forget(repository(&image));
        holder.run(&["pull", &image]).fails("unauthorized: authentication required");
        let audit = house.ours(&["audit"]);
        assert!(audit.lines().any(|line| line.contains("of-app") && line.contains("published")), "{audit}");
    });
}

/// What runs in a pipeline. `$docker` is which version of it.
const SCRIPT: &str = r#"
set -eu
printf %s "$TOKEN" | "$docker" login "$REGISTRY" --username "$APPLICATION" --password-stdin
export DOCKER_CONTENT_TRUST=1
"$docker" push "$IMAGE"
"$docker" trust inspect "$IMAGE"
"$docker" logout "$REGISTRY"
"#;

#[test]
fn a_service_principal_signs_from_a_script() {
    each(|house, client| {
        let made = house.json(&["principal", "create", "pipeline", "--expires", "1d"]);
        let application = made["application_id"].as_str().unwrap();
        for role in ["AcrPush", "AcrImageSigner"] {
            house.assign(role, &house.registry, application);
        }
        let image = house.image("app:v1", "one");
        let user = house.stranger(client);
        let script = || {
            // The passphrases of new and of old keys are variables there.
            let mut script = Command::new("timeout");
            script
                .args(["120", "setsid", "sh", "-c", SCRIPT])
                .envs(user.command().get_envs().filter_map(|(name, value)| Some((name, value?))));
            script.env("docker", &client.path).env("REGISTRY", &house.registry).env("IMAGE", &image);
            script.env("APPLICATION", application).env("TOKEN", made["secret"].as_str().unwrap());
            said(script.stdin(std::process::Stdio::null()))
        };
        script().ok();
        house.image("app:v1", "two");
        let again = script().ok();
        let digest = User::digest(&again);
        assert!(house.ours(&["lookup", repository(&image), "v1"]).contains(&digest), "{again:?}");
        let audit = house.ours(&["audit"]);
        assert_eq!(
            audit.lines().filter(|line| line.contains("pipeline") && line.contains("published")).count(),
            2,
            "{audit}"
        );
        house.ours(&["principal", "remove", "pipeline"]);
        script().fails("unauthorized");
    });
}
