//! Whole requests against a stand-in for the server at the other end of a pair of sockets.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc;
use std::time::Duration;

use eyelet_wire::scgi;

use crate::host::attend;
use crate::*;

/// The server's end of one request.
struct Server(BufReader<UnixStream>);

impl Server {
    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The app may have left, which some tests want.
        self.0.get_mut().write_all(bytes.as_ref()).ok();
    }

    fn request(&mut self, path: &str, body: &[u8]) {
        let vars = [
            ("REQUEST_METHOD", "GET"),
            ("PATH_INFO", path),
            ("QUERY_STRING", "fps=5"),
            ("HTTP_SEC_WEBSOCKET_KEY", "key"),
            ("HTTP_X_TWICE", "a, b"),
        ];
        let head = scgi::encode_request(body.len() as u64, vars).unwrap();
        self.send([&head, body].concat());
    }

    /// The app's next line; "" when it has hung up.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn payload(&mut self, len: usize) -> Vec<u8> {
        let mut payload = vec![0; len];
        self.0.read_exact(&mut payload).unwrap();
        payload
    }

    /// Expects lines and answers each; what stands behind a newline is payload.
    fn answer(&mut self, lines: &[(&str, &str)]) {
        for (said, answer) in lines {
            let (line, payload) = said.split_once('\n').unwrap_or((said, ""));
            assert_eq!(self.line(), line);
            assert_eq!(self.payload(payload.len()), payload.as_bytes());
            self.send(answer);
            if !answer.contains('\n') {
                self.send("\n");
            }
        }
    }

    /// Expects a whole answer with this status.
    fn page(&mut self, status: u16) -> String {
        let head = self.line();
        let len = head.strip_prefix("head ").unwrap_or_else(|| panic!("{head:?}"));
        let head = self.payload(len.parse().unwrap());
        assert_eq!(eyelet_wire::head::parse(&head).unwrap().status, status);
        self.send("ok\n");
        let body = self.line();
        let body = self.payload(body.strip_prefix("body ").unwrap().parse().unwrap());
        self.send("ok\n");
        assert_eq!([self.line(), self.line()], ["end", ""]);
        String::from_utf8(body).unwrap()
    }
}

/// Lets a handler attend to one request; gives what the host complains about.
fn with(
    handler: impl Fn(&mut Request) -> Result<()> + Send + Sync,
    server: impl FnOnce(&mut Server),
) -> Result<(), String> {
    let (own, theirs) = UnixStream::pair().unwrap();
    own.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    std::thread::scope(|scope| {
        let host = scope.spawn(|| attend(theirs, &handler));
        let mut own = Server(BufReader::new(own));
        server(&mut own);
        drop(own);
        host.join().unwrap()
    })
}

#[test]
fn a_stream_lasts_until_the_viewer_leaves_which_is_no_fault() {
    let end = with(
        |request| {
            assert_eq!((request.method(), request.path()), ("GET", "/stream"));
            let mut viewer = request.handshake(Some("a.b"))?;
            loop {
                viewer.wait("camera")?;
                viewer.send_area(0)?;
            }
        },
        |server| {
            server.request("/stream", b"");
            server.answer(&[
                ("handshake a.b", "ok"),
                ("wait camera 0 0", "ok 7"),
                ("send-area 0 0 0 2", "ok 7"),
                ("wait camera 0 0", "err gone 1001 the client has left"),
            ]);
            assert_eq!([server.line(), server.line()], ["end", ""]);
        },
    );
    assert_eq!(end, Ok(()));
}

#[test]
fn a_request_has_all_that_the_client_sent() {
    let end = with(
        |request| {
            assert_eq!(request.query(), "fps=5");
            assert_eq!(request.header("X-Twice"), Some("a, b"));
            assert_eq!(request.header("content-length"), Some("4"));
            assert_eq!((request.header("X-None"), request.header("a b")), (None, None));
            assert_eq!(request.var("SCGI"), Some(&b"1"[..]));
            assert!(request.wants_websocket() && request.vars().count() == 7);
            assert_eq!(request.body(), b"ab\xffc");
            request.respond(201, "text/plain", "done")
        },
        |server| {
            server.request("/", b"ab\xffc");
            assert_eq!(server.page(201), "done");
        },
    );
    assert_eq!(end, Ok(()));
}

#[test]
fn verbs_are_written_as_the_page_says() {
    let end = with(
        |request| {
            assert_eq!(request.inc("visits", 8, Bits::B64, i64::MIN)?, -3);
            assert_eq!(request.write("visits", 0, b"\n\0")?, 12);
            assert_eq!(request.read("visits", 0..4)?, b"abcd");
            assert_eq!(request.areas()?.len(), 1);
            let mut viewer = request.handshake(None)?;
            viewer.send_text("hé")?;
            viewer.send_area_part("camera", 16.., Op::Text)?;
            let areas = ["front".into(), 1.into()];
            assert_eq!(viewer.wait_any(&areas, true, None)?, Ready::Message);
            assert_eq!(viewer.try_recv()?, Some(Message::Text("hi".into())));
            assert_eq!(viewer.try_recv()?, None);
            let soon = Duration::from_millis(1500);
            let ready = viewer.wait_any(&areas, false, Some(soon))?;
            assert_eq!(ready, Ready::Frame(Area::Id(1), 9));
            assert!(matches!(viewer.wait_timeout(0, soon), Err(Error::Timeout(_))));
            // For ever is what 0 would mean.
            assert_eq!(viewer.recv_timeout(Duration::ZERO)?, Message::Binary(b".".to_vec()));
            viewer.close(4000, "bye")
        },
        |server| {
            server.request("/", b"");
            let list = "0 camera camera live 4 YUYV 2 1 4 7\n";
            server.answer(&[
                ("inc visits 8 64 -9223372036854775808", "ok -3"),
                ("write visits 0 2\n\n\0", "ok 12"),
                ("read visits 0 4", "ok 4\nabcd"),
                ("areas", &format!("ok {}\n{list}", list.len())),
                ("handshake", "ok"),
                ("send 1 3\nhé", "ok"),
                ("send-area camera 16 0 1", "ok 7"),
                ("wait-any 0 recv front 1", "ok recv"),
                ("recv-nb", "ok 1 2\nhi"),
                ("recv-nb", "ok"),
                ("wait-any 1.500000000 front 1", "ok 1 9"),
                ("wait 0 0 1.500000000", "err timeout no newer frame came in time"),
                ("recv 0.000000001", "ok 2 1\n."),
                ("close 4000 3\nbye", "ok"),
                ("end", ""),
            ]);
        },
    );
    assert_eq!(end, Ok(()));
}

#[test]
fn an_answer_takes_parts_files_and_frames() {
    let long = vec![b'x'; (16 << 20) + 1];
    let end = with(
        |request| {
            let mut body = request.answer(200, &[("Content-Type", "text/plain")])?;
            std::io::copy(&mut &b"file"[..], &mut body)?;
            body.wait("camera")?;
            body.send_area("camera")?;
            body.send(&long)?;
            body.send("")
        },
        |server| {
            server.request("/", b"");
            server.answer(&[
                ("head 44\nHTTP/1.1 200 -\r\nContent-Type: text/plain\r\n\r\n", "ok"),
                ("body 4\nfile", "ok"),
                ("wait camera 0 0", "ok 7"),
                ("send-area camera 0 0 2", "ok 7"),
            ]);
            assert_eq!(server.line(), "body 16777216");
            server.payload(16 << 20);
            server.send("ok\n");
            server.answer(&[("body 1\nx", "ok"), ("end", "")]);
        },
    );
    assert_eq!(end, Ok(()));
}

#[test]
fn a_handler_that_fails_without_an_answer_gives_500_and_a_line() {
    type Handler = fn(&mut Request) -> Result<()>;
    let cases: [(Handler, Result<(), String>); 4] = [
        (|_| Err(Error::app("no\nluck")), Err("GET /x failed: no\nluck".to_owned())),
        (|_| Ok(()), Err("GET /x failed: the handler has not answered".to_owned())),
        (
            |request| request.respond(99, "", ""),
            Err("GET /x failed: bad request: 99 is no status of an answer".to_owned()),
        ),
        // The hook has told of it.
        (|_| panic!("one panic that is wanted"), Ok(())),
    ];
    for (handler, fault) in cases {
        let end = with(handler, |server| {
            server.request("/x", b"");
            assert_eq!(server.page(500), "Internal Server Error\n");
        });
        assert_eq!(end, fault);
    }
}

#[test]
fn a_handler_that_fails_after_its_answer_just_hangs_up() {
    let end = with(
        |request| {
            request.handshake(None)?;
            Err(Error::app("no luck"))
        },
        |server| {
            server.request("/x", b"");
            server.answer(&[("handshake", "ok")]);
            assert_eq!(server.line(), "");
        },
    );
    assert_eq!(end, Err("GET /x failed: no luck".to_owned()));
}

#[test]
fn a_handler_may_go_on_after_an_error_and_answer_otherwise() {
    let end = with(
        |request| match request.wait("nowhere") {
            Err(Error::NoArea(text)) => request.respond(404, "text/plain", text),
            other => panic!("{other:?}"),
        },
        |server| {
            server.request("/", b"");
            server.answer(&[("wait nowhere 0 0", "err no-area there is no area nowhere")]);
            assert_eq!(server.page(404), "there is no area nowhere");
        },
    );
    assert_eq!(end, Ok(()));
}

#[test]
fn a_server_that_hangs_up_is_as_a_client_that_left() {
    let end = with(
        |request| {
            let error = request.wait(0).unwrap_err();
            assert!(matches!(error, Error::Gone { code: None, .. }), "{error}");
            // And stays away.
            assert!(request.handshake(None).is_err_and(|error| error.is_gone()));
            Ok(())
        },
        |server| {
            server.request("/", b"");
            assert_eq!(server.line(), "wait 0 0 0");
        },
    );
    assert_eq!(end, Ok(()));
}

#[test]
fn an_answer_that_makes_no_sense_ends_the_request_and_nothing_else() {
    let long = format!("ok {}\n", "1".repeat(5000));
    let cases = ["yes\n", "\n", "ok\n", "ok x\n", "ok -1\n", "ok 16777217\n", "é\n", &long];
    for answer in cases {
        let end = with(
            |request| request.read(0, ..).map(drop),
            |server| {
                server.request("/", b"");
                server.answer(&[("read 0 0 0", answer)]);
                assert_eq!(server.line(), "");
            },
        );
        let line = end.unwrap_err();
        assert!(line.starts_with("GET / failed: the server speaks nonsense: "), "{line}");
    }
}

#[test]
fn what_is_no_request_never_reaches_the_handler() {
    let cases: [&[u8]; 7] = [
        b"x",
        b"GET / HTTP/1.1\r\n",
        b"999999:",
        b"12345678",
        b"3:A\0\0,",
        b"7:CONTENT",
        b"19:CONTENT_LENGTH\x009\0\0\0,abc",
    ];
    for bytes in cases {
        let end = with(
            |_| panic!("it has"),
            |server| {
                server.send(bytes);
                server.0.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
                assert_eq!(server.line(), "");
            },
        );
        assert!(end.unwrap_err().starts_with("failed to receive a request: "));
    }
    assert_eq!(with(|_| panic!("it has"), |_| ()), Ok(()));
}

#[test]
fn what_the_server_would_end_the_request_for_is_not_sent() {
    let end = with(
        |request| {
            let too_large = [
                request.write(0, 0, vec![0; 65_537]).err(),
                request.answer(200, &[("X", &"x".repeat(65_536))]).err(),
            ];
            assert!(too_large.iter().all(|e| matches!(e, Some(Error::TooLarge(_)))));
            let wrong = [
                request.wait("a\nend").err(),
                request.read(0, 4..4).err(),
                request.handshake(Some("a b")).err(),
                request.wait_any(&[], false, None).err(),
                request.wait_any(&[Area::Id(0); 16], true, None).err(),
            ];
            assert!(wrong.iter().all(|e| matches!(e, Some(Error::BadRequest(_)))), "{wrong:?}");
            let mut viewer = request.handshake(None)?;
            let closed = [viewer.close(1005, "").err(), viewer.close(1000, &"x".repeat(124)).err()];
            assert!(matches!(closed, [Some(Error::BadRequest(_)), Some(Error::TooLarge(_))]));
            Ok(())
        },
        |server| {
            server.request("/", b"");
            server.answer(&[("handshake", "ok"), ("end", "")]);
        },
    );
    assert_eq!(end, Ok(()));
}

#[test]
fn a_wait_is_stopped_from_another_thread() {
    let (give, take) = mpsc::channel();
    let end = with(
        move |request| {
            let mut viewer = request.handshake(None)?;
            give.send(viewer.stopper()).unwrap();
            viewer.follow("camera", Op::Binary)?;
            assert!(matches!(viewer.recv(), Err(Error::Stopped(_))));
            Ok(())
        },
        |server| {
            server.request("/", b"");
            server.answer(&[("handshake", "ok")]);
            let stopper = take.recv().unwrap();
            for verb in ["follow camera 2", "recv 0"] {
                assert_eq!(server.line(), verb);
                stopper.stop();
                server.answer(&[("stop", "err stopped the app wants it no more")]);
            }
            server.answer(&[("end", "")]);
            while server.line() != "" {}
            // Too late, and harmless.
            stopper.stop();
        },
    );
    assert_eq!(end, Ok(()));
}

#[test]
fn a_request_without_a_websocket_waits_until_the_client_has_left() {
    let end = with(
        |request| {
            let soon = Some(Duration::from_secs(2));
            assert!(matches!(request.wait_gone(soon), Err(Error::Timeout(_))));
            assert!(matches!(request.wait_gone(None), Err(Error::BadState(_))));
            request.wait_gone(None)
        },
        |server| {
            server.request("/", b"");
            server.answer(&[
                ("recv 2.000000000", "err timeout no message came in time"),
                ("recv 0", "ok 1 1\nx"),
                ("recv 0", "err gone the client has left"),
                ("end", ""),
            ]);
        },
    );
    assert_eq!(end, Ok(()));
}

#[test]
fn there_is_a_thread_more_than_places_and_a_panic_costs_none() {
    let folder = std::env::temp_dir().join(format!("eyelet-app-{}", std::process::id()));
    std::fs::remove_file(&folder).ok();
    let listener = UnixListener::bind(&folder).unwrap();
    std::thread::spawn(move || {
        Host::new().places(2).serve_on(listener, |request| match request.path() {
            "/panic" => panic!("a panic\nthat is wanted"),
            _ => request.wait(0).map(drop),
        })
    });
    let connect = || {
        let stream = UnixStream::connect(&folder).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Server(BufReader::new(stream))
    };
    for _ in 0..6 {
        let mut server = connect();
        server.request("/panic", b"");
        assert_eq!(server.page(500), "Internal Server Error\n");
    }
    let mut waiting = [connect(), connect(), connect()];
    for server in &mut waiting {
        server.request("/", b"");
    }
    for server in &mut waiting {
        assert_eq!(server.line(), "wait 0 0 0");
    }
    std::fs::remove_file(&folder).unwrap();
}
