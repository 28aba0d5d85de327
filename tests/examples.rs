//! What the examples print is what their readers are told.

#[path = "../examples/async_server.rs"]
#[expect(dead_code, reason = "the example's own entry")]
mod async_server;
#[path = "../examples/embedder.rs"]
#[expect(dead_code, reason = "the example's own entry")]
mod embedder;
#[path = "../examples/own_signer.rs"]
#[expect(dead_code, reason = "the example's own entry")]
mod own_signer;

use tufstore::terms::UnixTime;

/// The first of `expected` that the output does not have behind those before it.
fn missing<'a>(output: &[u8], expected: &[&'a str]) -> Option<&'a str> {
    let output = String::from_utf8_lossy(output);
    let mut rest = &*output;
    expected.iter().copied().find(|expected| match rest.split_once(expected) {
        Some((_, after)) => {
            rest = after;
            false
        }
        None => true,
    })
}

#[test]
fn the_first_program_publishes_looks_up_pins_and_reads_the_feed() {
    let folder = tempfile::tempdir().unwrap();
    let mut output = Vec::new();
    embedder::run(folder.path(), UnixTime::from_seconds(1_800_000_000), &mut output).unwrap();
    let expected = [
        "published docker.io/library/alpine, revision 1",
        "root version 1",
        "3.22 is sha256:",
        "edge is no tag of it",
        "revision 1 has 3.22 at",
        "revision 2 has 3.22 at",
        "comes too late",
        "1: docker.io/library/alpine, timestamp 1",
        "2: docker.io/library/alpine, timestamp 2",
    ];
    assert_eq!(missing(&output, &expected), None, "{}", String::from_utf8_lossy(&output));
}

#[test]
fn a_signer_of_ones_own_signs_rotates_and_fails_without_harm() {
    let mut output = Vec::new();
    own_signer::run(&mut output).unwrap();
    let expected = [
        "published revision 1, signed by the service",
        "published revision 2, the key is now",
        "while the service is away: the online keys cannot be used",
        "Operator has to act",
        "and 1.0 is still Found",
    ];
    assert_eq!(missing(&output, &expected), None, "{}", String::from_utf8_lossy(&output));
}

#[tokio::test]
async fn an_async_server_answers_lookups_and_wakes_who_waits() {
    let folder = tempfile::tempdir().unwrap();
    let mut output = Vec::new();
    async_server::run(folder.path(), &mut output).await.unwrap();
    let expected = [
        "published at position 1",
        "next 0: 1 docker.io/library/alpine revision 1",
        "lookup docker.io/library/alpine 3.22: sha256:",
        "lookup docker.io/library/alpine edge: unknown",
        "hello: say `lookup",
    ];
    assert_eq!(missing(&output, &expected), None, "{}", String::from_utf8_lossy(&output));
}
