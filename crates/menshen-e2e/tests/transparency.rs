//! What may not change on the way (figure F3 in small): content, and fields up to the documented list.

use menshen_e2e::{Client, Fields, Origin, TestGateway};

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).unwrap()
    }

    fn text(&mut self, alphabet: &str, most: usize) -> String {
        let letters = alphabet.as_bytes();
        (0..self.below(most + 1)).map(|_| char::from(letters[self.below(letters.len())])).collect()
    }

    fn fields(&mut self) -> Fields {
        let names = [
            "X-A",
            "x-b",
            "Accept",
            "Cookie",
            "Authorization",
            "X-Long-Name-Of-A-Field",
            "Content-Type",
            "ETag",
            "Cache-Control",
        ];
        let alphabet = "abcXYZ019 \t!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~";
        let some = 0..self.below(12);
        let value = |r: &mut Self| r.text(alphabet, 60).trim().to_owned();
        Fields(some.map(|_| (names[self.below(names.len())].to_owned(), value(self))).collect())
    }

    fn content(&mut self) -> Vec<u8> {
        let most = [0, 1, 100, 5000, 20_000, 200_000][self.below(6)];
        (0..most).map(|_| self.below(256) as u8).collect()
    }

    /// Field lines, framing and content, with chunks of any size.
    fn message(&mut self, fields: &Fields, content: &[u8]) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            fields.0.iter().flat_map(|(n, v)| format!("{n}: {v}\r\n").into_bytes()).collect();
        if self.below(2) == 0 {
            bytes.extend(format!("Content-Length: {}\r\n\r\n", content.len()).as_bytes());
            bytes.extend(content);
            return bytes;
        }
        bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
        let mut rest = content;
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(1 + self.below(rest.len()));
            bytes.extend(format!("{:x}\r\n", piece.len()).as_bytes());
            bytes.extend(piece);
            bytes.extend(b"\r\n");
            rest = behind;
        }
        bytes.extend(b"0\r\n\r\n");
        bytes
    }
}

/// The fields of `names` that a test made up, in their order.
fn own(fields: &Fields) -> Vec<(String, String)> {
    const GATEWAY: [&str; 11] = [
        "host",
        "content-length",
        "transfer-encoding",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-port",
        "x-seed",
        "date",
        "connection",
    ];
    fields.0.iter().filter(|(n, _)| !GATEWAY.contains(&n.to_ascii_lowercase().as_str())).cloned().collect()
}

#[test]
fn content_and_fields_pass_unchanged_both_ways() {
    let origin = Origin::answering(|request| {
        let mut random = Random(request.fields.get("x-seed").unwrap().parse().unwrap());
        let (fields, content) = (random.fields(), random.content());
        [b"HTTP/1.1 203 As You Like\r\n", &random.message(&fields, &content)[..]].concat()
    });
    let gateway = TestGateway::in_front_of(&origin);
    let mut client = Client::of(&gateway);
    let mut random = Random(0x5eed_5eed_5eed_5eed);
    for round in 0..150 {
        let (mut fields, content, seed) =
            (random.fields(), random.content(), random.below(1 << 40) as u64 + 1);
        fields.0.push(("X-Seed".to_owned(), seed.to_string()));
        let method = ["GET", "POST", "PUT", "DELETE", "PATCH", "QUERY", "x-own!"][random.below(7)];
        let target = format!(
            "/{}?{}",
            random.text("abcABC019-._~!$&'()*+,=:@", 40),
            random.text("ab=&/?:@!$'()*+,;%20[]", 60)
        );
        let message = random.message(&fields, &content);
        client.send(format!("{method} {target} HTTP/1.1\r\nHost: gateway\r\n"));
        let cut = random.below(message.len());
        client.send(&message[..cut]).send(&message[cut..]);
        let response = client.response();

        let mut expected = Random(seed);
        let (their_fields, their_content) = (expected.fields(), expected.content());
        assert_eq!(response.status, 203, "round {round}: {method} {target}: {}", response.text());
        assert!(response.body == their_content, "round {round}: the response's content");
        assert_eq!(own(&response.fields), own(&their_fields), "round {round}");
        let seen = origin.requests().pop().unwrap();
        assert_eq!((seen.method.as_str(), seen.target.as_str()), (method, target.as_str()));
        assert!(seen.body == content, "round {round}: the request's content");
        assert_eq!(own(&seen.fields), own(&fields), "round {round}");
    }
    origin.expect_canonical();
    assert_eq!(origin.connections(), 1);
}
