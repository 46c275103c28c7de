//! Records that delete.

use arrow::array::AsArray as _;

use super::*;
use lakefeed_model::error::Error;
use lakefeed_model::reject::RejectCode;

/// A record with `gone` deletes by its key, and with `bad` deletes by a key that is none.
#[derive(Debug)]
struct Gone;

impl RecordGate for Gone {
    fn admit(&mut self, record: RawRecord<'_>) -> Result<Admission, Error> {
        let find = |name: &str| record.find(&JsonPath::keys([name]));
        Ok(match (find("gone"), find("bad")) {
            (Some(_), _) => Admission::Delete(format!("{{\"id\":{}}}", find("id").unwrap_or("null"))),
            (_, Some(bad)) => Admission::Delete(bad.to_owned()),
            (None, None) => Admission::Keep,
        })
    }
}

#[test]
fn a_delete_needs_no_more_than_its_key_and_the_batch_says_which_rows_delete() {
    let required = |name: &str| Column { nullable: false, ..column(name, ColumnType::Int64) };
    let schema = schema(vec![required("id"), required("must"), column("may", ColumnType::Utf8)]);
    let key = ["id".to_owned()];
    let target = RowTarget { delete_key: Some(&key), ..RowTarget::from(&schema) };
    let mut decoder = PageDecoder::new(target, Some(path("$")), OPTIONS);
    let decode = |decoder: &mut PageDecoder, number, body: &[u8]| {
        decoder.decode(&PageInput::json(number, body), MismatchPolicy::LENIENT, Some(&mut Gone))
    };
    let page = br#"[{"id":1,"must":1},{"id":2,"gone":1},{"id":3},{"gone":1},{"id":4,"must":4,"may":"x"},{"bad":[1]},{"bad":{"id":"x"}},{"id":5,"gone":1}]"#;
    let decoded = decode(&mut decoder, 0, page).unwrap();
    let refused: Vec<_> =
        decoded.rejects.iter().map(|reject| (reject.position, reject.path.as_str(), reject.code)).collect();
    let expected = [
        (2, "$.must", RejectCode::MissingValue),
        (3, "$.id", RejectCode::MissingValue),
        (5, "$", RejectCode::NotAnObject),
        (6, "$.id", RejectCode::BadFormat),
    ];
    assert_eq!(refused, expected, "a row that does not delete is as strict as ever");
    // A page that breaks off leaves nothing of itself.
    assert!(decode(&mut decoder, 1, b"[{\"id\":9,\"gone\":1},{").is_err());
    let batch = decoder.flush().unwrap();
    assert_eq!(batch.schema(), schema.to_arrow_with_deletes(&key));
    let ids: Vec<_> = batch.column(0).as_primitive::<Int64Type>().values().to_vec();
    let deletes: Vec<_> = batch.column(3).as_boolean().iter().map(Option::unwrap).collect();
    assert_eq!((ids, deletes), (vec![1, 2, 4, 5], vec![false, true, false, true]));
    let again = decode(&mut decoder, 2, b"[{\"id\":6,\"must\":6}]").unwrap();
    assert!(again.rejects.is_empty());
    assert_eq!(decoder.flush().unwrap().column(3).as_boolean().true_count(), 0);
}
