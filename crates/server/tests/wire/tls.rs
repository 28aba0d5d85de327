//! TLS, as the clients use it: a handshake for every request.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::{ClientSessionMemoryCache, Resumption};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tufstore_server::settings::Tls;

use crate::support::{Running, rest};

/// A client that trusts the authority in that folder.
fn client(folder: &Path, versions: &[&'static SupportedProtocolVersion], alpn: &[&str]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("ca.crt")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

async fn shake(
    running: &Running,
    config: &Arc<ClientConfig>,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::clone(config)).connect(name, running.connect().await).await
}

/// One request of HTTP/1.1, to the end of the connection.
async fn ask(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn both_versions_are_spoken_and_resumed() {
    let running = Running::start(|_| {}).await;
    for version in [&TLS12, &TLS13] {
        // By ticket, and for TLS 1.2 by session as well.
        let mut config = client(&running.tls_folder(), &[version], &["http/1.1"]);
        config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(8)));
        let config = Arc::new(config);
        let mut kinds = Vec::new();
        for _ in 0..3 {
            let mut stream = shake(&running, &config, "localhost").await.unwrap();
            assert!(ask(&mut stream).await.ends_with("{}"));
            kinds.push(stream.get_ref().1.handshake_kind().unwrap());
        }
        assert!(
            matches!(kinds[0], HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest),
            "{kinds:?}"
        );
        assert_eq!(kinds[1..], [HandshakeKind::Resumed, HandshakeKind::Resumed], "{:?}", version.version);
    }
    running.stop().await;
}

#[tokio::test]
async fn the_certificate_is_for_this_machine_and_for_nothing_else() {
    let running = Running::start(|settings| {
        settings.tls = Tls::MadeHere { names: vec!["trust.example.com".to_owned()] };
    })
    .await;
    let config = Arc::new(client(&running.tls_folder(), &[&TLS13], &[]));
    for name in ["localhost", "127.0.0.1", "::1", "trust.example.com"] {
        assert!(shake(&running, &config, name).await.is_ok(), "{name}");
    }
    for name in ["example.com", "other.example.com", "10.0.0.1"] {
        assert!(shake(&running, &config, name).await.is_err(), "{name}");
    }
    assert!(!running.tls_folder().join("ca.key").exists(), "nobody signs with that authority again");
    running.stop().await;
}

#[tokio::test]
async fn a_half_made_certificate_is_made_anew_and_a_whole_one_stays() {
    let first = Running::start(|_| {}).await;
    let (tls, data) = (first.tls_folder(), first.folder.path().join("store"));
    let whole = fs::read(tls.join("server.crt")).unwrap();
    first.end_and_keep().await;
    let again = Running::start(|settings| settings.data.clone_from(&data)).await;
    assert_eq!(fs::read(tls.join("server.crt")).unwrap(), whole);
    again.end_and_keep().await;
    #[expect(clippy::disallowed_methods, reason = "a crash in the midst of making")]
    fs::remove_file(tls.join("server.crt")).unwrap();
    let anew = Running::start(|settings| settings.data.clone_from(&data)).await;
    assert_ne!(fs::read(tls.join("server.crt")).unwrap(), whole);
    let config = Arc::new(client(&tls, &[&TLS13], &[]));
    assert!(shake(&anew, &config, "localhost").await.is_ok());
    anew.end_and_keep().await;
}

impl Running {
    /// Ends it; its folder may be another's.
    async fn end_and_keep(mut self) {
        self.end();
        (&mut self.task).await.unwrap().unwrap();
        std::mem::forget(std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap()));
    }
}

#[tokio::test]
async fn h2_is_spoken_where_it_is_agreed_upon() {
    let running = Running::start(|_| {}).await;
    let config = Arc::new(client(&running.tls_folder(), &[&TLS13], &["h2", "http/1.1"]));
    let stream = shake(&running, &config, "localhost").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(connection);
    let mut answers = Vec::new();
    for path in ["/v2/", "/none", "/v2/a/_trust/tuf/root.json"] {
        let uri = format!("https://localhost{path}");
        let request = http::Request::builder().uri(uri).body(Empty::<Bytes>::new()).unwrap();
        answers.push(sender.send_request(request));
    }
    let mut statuses = Vec::new();
    for answer in answers {
        statuses.push(answer.await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 404, 404]);
    drop(sender);
    driver.await.unwrap().unwrap();
    let config = Arc::new(client(&running.tls_folder(), &[&TLS13], &["spdy/3"]));
    assert!(shake(&running, &config, "localhost").await.is_err(), "nothing in common");
    running.stop().await;
}

#[tokio::test]
async fn what_is_no_handshake_is_closed_in_time() {
    let running = Running::start(|settings| settings.limits.handshake = Duration::from_millis(300)).await;
    let mut silent = running.connect().await;
    drop(rest(&mut silent).await);
    // Plain HTTP on the port of TLS.
    let answer = running.send(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(!answer.contains("200 OK"), "{answer}");
    running.stop().await;
}

#[tokio::test]
async fn a_certificate_is_exchanged_for_new_connections_and_a_wrong_one_is_not_taken() {
    let [one, two] = [Running::start(|_| {}).await, Running::start(|_| {}).await];
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let put = |from: &Running| {
        fs::copy(from.tls_folder().join("server.crt"), &certificate).unwrap();
        fs::copy(from.tls_folder().join("server.key"), &key).unwrap();
    };
    put(&one);
    let running = Running::start(|settings| {
        settings.tls = Tls::Files { certificate: certificate.clone(), key: key.clone(), client_ca: None };
    })
    .await;
    let trusts = |running: &Running| Arc::new(client(&running.tls_folder(), &[&TLS13], &[]));
    let mut before = shake(&running, &trusts(&one), "localhost").await.unwrap();
    put(&two);
    assert!(shake(&running, &trusts(&two), "localhost").await.is_err(), "not yet");
    let reloader = running.certificate.clone().unwrap();
    reloader.reload().unwrap();
    assert!(shake(&running, &trusts(&two), "localhost").await.is_ok());
    assert!(shake(&running, &trusts(&one), "localhost").await.is_err());
    assert!(ask(&mut before).await.ends_with("{}"), "a connection from before goes on");
    // The key of the one and the certificate of the other.
    fs::copy(one.tls_folder().join("server.key"), &key).unwrap();
    let refused = reloader.reload().unwrap_err();
    assert!(refused.to_string().contains("cannot be used together"), "{refused}");
    assert!(shake(&running, &trusts(&two), "localhost").await.is_ok());
    for running in [one, two, running] {
        running.stop().await;
    }
}

/// An authority, and a client's certificate and key that it signed.
struct Clients {
    authority: String,
    certificate: CertificateDer<'static>,
    key: rcgen::KeyPair,
}

impl Clients {
    fn new() -> Self {
        use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer_key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&issuer_key).unwrap().pem();
        let mut client = CertificateParams::new(vec!["publisher.example.com".to_owned()]).unwrap();
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let signed = client.signed_by(&key, &Issuer::new(params, issuer_key)).unwrap();
        Self { authority, certificate: signed.der().clone(), key }
    }
}

/// A client that trusts the server, and shows a certificate of these or none.
fn showing(server: &Running, shown: Option<&Clients>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(server.tls_folder().join("ca.crt")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    Arc::new(match shown {
        None => builder.with_no_client_auth(),
        Some(Clients { certificate, key, .. }) => {
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            builder.with_client_auth_cert(vec![certificate.clone()], key).unwrap()
        }
    })
}

/// Whether that client gets an answer. In TLS 1.3 it learns of a refusal with the first one only.
async fn is_served(running: &Running, config: &Arc<ClientConfig>) -> bool {
    let Ok(mut stream) = shake(running, config, "localhost").await else { return false };
    drop(stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.is_ok() && answer.starts_with(b"HTTP/1.1 200")
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a file that an operator has")]
async fn clients_show_a_certificate_where_that_is_asked_for() {
    let server = Running::start(|_| {}).await;
    let [friends, strangers] = [Clients::new(), Clients::new()];
    let client_ca = server.folder.path().join("clients.pem");
    fs::write(&client_ca, &friends.authority).unwrap();
    let running = Running::start(|settings| {
        settings.tls = Tls::Files {
            certificate: server.tls_folder().join("server.crt"),
            key: server.tls_folder().join("server.key"),
            client_ca: Some(client_ca.clone()),
        };
    })
    .await;
    assert!(!is_served(&running, &showing(&server, None)).await);
    assert!(!is_served(&running, &showing(&server, Some(&strangers))).await);
    let friend = showing(&server, Some(&friends));
    assert!(is_served(&running, &friend).await);
    assert!(is_served(&running, &friend).await, "resumed");
    // The authority of the friends is taken out: what they could resume from before does not let them in.
    fs::write(&client_ca, &strangers.authority).unwrap();
    running.certificate.clone().unwrap().reload().unwrap();
    assert!(!is_served(&running, &friend).await);
    assert!(is_served(&running, &showing(&server, Some(&strangers))).await);
    for other in [server, running] {
        other.stop().await;
    }
}
