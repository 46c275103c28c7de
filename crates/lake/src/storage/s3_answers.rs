//! What an S3 store answers in XML, looked through before the parser of `object_store` sees it.
//!
//! That parser, quick-xml before 0.41, compares each attribute of a tag with all before it
//! (RUSTSEC-2026-0194) and keeps every namespace that a tag declares (RUSTSEC-2026-0195), so a
//! hostile or broken store could occupy a processor for minutes with a megabyte. Both need long
//! tags. The tags of S3 are short.

use async_trait::async_trait;
use futures::TryStreamExt as _;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};

/// Bytes of an answer, at most. A page of a listing has 1,000 keys of 1 KiB.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of a tag, at most.
const TAG_BYTES_MAX: usize = 1024;

/// Connects to a store as `object_store` itself does, and refuses answers in XML that abuse its
/// parser.
#[derive(Debug)]
pub(crate) struct CheckedConnector;

impl HttpConnector for CheckedConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(CheckedClient(ReqwestConnector::default().connect(options)?)))
    }
}

#[derive(Debug)]
struct CheckedClient(HttpClient);

#[async_trait]
impl HttpService for CheckedClient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let is_content = asks_for_content(&request);
        let response = self.0.execute(request).await?;
        if is_content || !response.status().is_success() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let refused = |problem| HttpError::new(HttpErrorKind::Decode, Refused(problem));
        let (mut answer, mut pieces) = (Vec::new(), body.bytes_stream());
        while let Some(piece) = pieces.try_next().await? {
            if answer.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(refused("it is longer than 16 MiB"));
            }
            answer.extend_from_slice(&piece);
        }
        check(&answer).map_err(refused)?;
        Ok(HttpResponse::from_parts(parts, answer.into()))
    }
}

/// Returns whether the answer is the content of an object, which is passed on as it comes.
fn asks_for_content(request: &HttpRequest) -> bool {
    let names_version = |query: &str| query.starts_with("versionId=") && !query.contains('&');
    request.method().as_str() == "GET" && request.uri().query().is_none_or(names_version)
}

#[derive(Debug, thiserror::Error)]
#[error("the store's answer is refused: {0}")]
struct Refused(&'static str);

/// Looks through XML in one pass, with the grammar of quick-xml.
fn check(answer: &[u8]) -> Result<(), &'static str> {
    let mut rest = answer;
    while let Some(start) = rest.iter().position(|byte| *byte == b'<') {
        rest = &rest[start..];
        let end = match rest {
            [b'<', b'!', ..] if !rest.starts_with(b"<![CDATA[") => return Err("it has a comment or a DOCTYPE"),
            // Text, however long.
            [b'<', b'!', ..] => rest.windows(3).position(|bytes| bytes == b"]]>"),
            [b'<', b'?', ..] => short(rest).windows(2).position(|bytes| bytes == b"?>"),
            [b'<', b'/', ..] => short(rest).iter().position(|byte| *byte == b'>'),
            _ => end_of_tag(short(rest)),
        };
        let Some(end) = end else { return Err("it has a tag that does not end within 1024 bytes") };
        rest = &rest[end + 1..];
    }
    Ok(())
}

fn short(rest: &[u8]) -> &[u8] {
    &rest[..rest.len().min(TAG_BYTES_MAX)]
}

/// Returns where the first `>` stands that is not part of a value in quotes.
fn end_of_tag(tag: &[u8]) -> Option<usize> {
    let mut quote = None;
    tag.iter().position(|byte| {
        match quote {
            Some(open) if *byte == open => quote = None,
            None if matches!(byte, b'"' | b'\'') => quote = Some(*byte),
            _ => {}
        }
        *byte == b'>' && quote.is_none()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quick_xml::Reader;
    use quick_xml::events::Event;

    use super::*;

    const LISTING: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><Contents><Key>a&lt;b]]&gt;.parquet</Key>\
        <ETag>\"x\"</ETag><Owner xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='CanonicalUser'/></Contents>\
        <Contents><Key><![CDATA[1 < 2 > 0 ' \" ]] ]></Key>]]></Key></Contents></ListBucketResult>";

    #[test]
    fn listings_pass_and_abuse_does_not() {
        let attributes = |count| (0..count).map(|number| format!(" a{number}=\"1\"")).collect::<Vec<_>>().concat();
        let long = "k".repeat(5_000);
        for passes in [
            "",
            "no XML",
            LISTING,
            &format!("<Key>{long}</Key><Key><![CDATA[{}]]></Key>", "<".repeat(5_000)),
            &format!("<a{}/>", attributes(100)),
        ] {
            assert_eq!(check(passes.as_bytes()), Ok(()), "{passes}");
        }
        for refused in [
            format!("<ListBucketResult{}>", attributes(160_000)),
            format!("<ListBucketResult{}>", attributes(160_000).replace(" a", " xmlns:a")),
            format!("<a b='>'{}>", attributes(200)),
            format!("<![CDATA[x]]><a b=\">\" c='\"'{}>", attributes(200)),
            format!("<?xml {}?>", attributes(200)),
            format!("</{long}>"),
            "<a".to_owned(),
            "<![CDATA[x]] >".to_owned(),
            "<!-- ' --><a/>".to_owned(),
            "<!DOCTYPE a>".to_owned(),
        ] {
            assert!(check(refused.as_bytes()).is_err(), "{refused}");
        }
    }

    proptest! {
        // A fifth of them passes.
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Whatever passes has no long tag for the parser either.
        #[test]
        fn the_parser_sees_no_long_tag(
            parts in prop::collection::vec(prop_oneof![
                Just("<".to_owned()), Just(">".to_owned()), Just("'".to_owned()), Just("\"".to_owned()), Just("]]>".to_owned()),
                Just("<![CDATA[".to_owned()), Just("<?".to_owned()), Just("?>".to_owned()), Just("</".to_owned()), Just("/>".to_owned()),
                Just("<a b='".to_owned()), Just("<!--".to_owned()), Just("-->".to_owned()), (0_usize..1_200).prop_map(|length| " c=1".repeat(length / 4)),
            ], 0..24)
        ) {
            let text = parts.concat();
            if check(text.as_bytes()).is_err() {
                return Ok(());
            }
            let mut reader = Reader::from_str(&text);
            reader.config_mut().check_end_names = false;
            reader.config_mut().allow_unmatched_ends = true;
            loop {
                match reader.read_event() {
                    Ok(Event::Eof) | Err(_) => break,
                    Ok(Event::Start(tag) | Event::Empty(tag)) => prop_assert!(tag.len() < TAG_BYTES_MAX, "{}", text),
                    Ok(_) => {}
                }
            }
        }
    }

    #[test]
    fn the_content_of_objects_is_no_answer_in_xml() {
        for (method, url, is_content) in [
            ("GET", "http://s3/bucket/key", true),
            ("GET", "http://s3/bucket/key?versionId=1", true),
            ("GET", "http://s3/bucket?list-type=2&prefix=a", false),
            ("GET", "http://s3/bucket?versionId=1&list-type=2", false),
            ("POST", "http://s3/bucket/key", false),
            ("PUT", "http://s3/bucket/key", false),
        ] {
            let mut request = HttpRequest::new(bytes::Bytes::new().into());
            *request.method_mut() = method.parse().unwrap();
            *request.uri_mut() = url.parse().unwrap();
            assert_eq!(asks_for_content(&request), is_content, "{method} {url}");
        }
    }
}
