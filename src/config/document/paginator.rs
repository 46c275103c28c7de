//! A `paginator` of a pipeline file as its user wrote it.

use super::read::{mapping, tagged};
use super::values::{Boolean, Count, Path, Text, TotalPath, Whole};

tagged! {
    /// How a listing is cut into pages.
    PaginatorDocument "paginator" by "type", short: true {
        "auto" => Auto,
        "cursor" => Cursor(CursorDocument),
        "header_cursor" => HeaderCursor(HeaderCursorDocument),
        "header_link" => HeaderLink(HeaderLinkDocument),
        // dlt's older name of the same paginator.
        "json_link" | "json_response" => JsonLink(JsonLinkDocument),
        "keyset" => Keyset(KeysetDocument),
        "offset" => Offset(OffsetDocument),
        "page_number" => PageNumber(PageNumberDocument),
        "single_page" => SinglePage,
    }
}

mapping! {
    /// What ends a listing.
    EndingDocument "ending" {
        /// Whether a page without records ends the listing. Where the page states a total that is
        /// not reached, it goes on all the same.
        stop_after_empty_page: Boolean [usually "`true`; `false` for tokens and links"],
        /// Where a page says whether there is another: a boolean, or a string such as `"true"`,
        /// `"no"` or `"1"`. False ends the listing; true never prolongs it. It must be there on
        /// every page with records.
        has_more_path: Path [none] like "meta.has_more",
    }
}

mapping! {
    /// What the listing is held against.
    CountingDocument "counting" {
        /// Where a page states the number of records in the whole listing, on the first page at
        /// least. Fewer than that are incomplete. Where it is not written, the first page is
        /// searched for it (`total`, `total_count`, `count`, …); `null` (in TOML, `false`) when
        /// nothing there is a total.
        total_path: TotalPath [usually "found on the first page"] like "meta.count",
    }
}

mapping! {
    /// Asks for records from a number on.
    OffsetDocument "offset" {
        /// Records per page, and the step of the offset.
        limit: Count [required] like "100",
        /// The offset of the first page.
        offset: Whole [usually "`base_offset`"],
        /// The offset of the API's first record: 0, or 1 as in SCIM. Where only `offset: 1` is
        /// written, it is open which of both it is, and the listing asks on until the total is
        /// reached or a page is empty.
        base_offset: Whole [usually "`0`"] like "1",
        /// The query parameter of the offset.
        offset_param: Text [usually "`offset`"],
        /// The query parameter of the limit.
        limit_param: Text [usually "`limit`"],
        /// The place of the offset in the body, instead.
        offset_body_path: Path [none],
        /// The place of the limit in the body, instead.
        limit_body_path: Path [none],
        /// Where a page states the number of records. It must be there on every page; one that is
        /// not written may be missing on a page without records. `null` (in TOML, `false`) when the
        /// API does not say.
        total_path: TotalPath [usually "`total`"] like "meta.count",
        /// The offset at which to stop, exclusive.
        maximum_offset: Whole [none],
        ..ending: EndingDocument,
    }
}

mapping! {
    /// Asks for page after page by its number.
    PageNumberDocument "page_number" {
        /// The number of the API's first page. Where neither this nor `page` is written, page 1 is
        /// asked for before an empty page 0 is believed.
        base_page: Whole [usually "`0`"] like "1",
        /// The number of the first page to ask for.
        page: Whole [usually "`base_page`"],
        /// The query parameter of the number.
        page_param: Text [usually "`page`"],
        /// The place of the number in the body, instead.
        page_body_path: Path [none],
        /// Where a page states the number of *pages*. It must be there on every page; one that is
        /// not written may be missing on a page without records. `null` (in TOML, `false`) when the
        /// API does not say.
        total_path: TotalPath [usually "`total`"] like "meta.pages",
        /// The number at which to stop, exclusive.
        maximum_page: Whole [none],
        ..ending: EndingDocument,
    }
}

mapping! {
    /// Takes a token of a page's body into the next request.
    CursorDocument "cursor" {
        /// Where the body has the token.
        cursor_path: Path ["cursors.next".to_owned()],
        /// The query parameter that takes it.
        cursor_param: Text [usually "`cursor`"],
        /// The place in the body that takes it, instead.
        cursor_body_path: Path [none],
        ..counting: CountingDocument,
        ..ending: EndingDocument,
    }
}

mapping! {
    /// Takes a token of a page's headers into the next request.
    HeaderCursorDocument "header_cursor" {
        /// The header that has the token.
        cursor_key: Text ["next".to_owned()] like "X-Next-Cursor",
        /// The query parameter that takes it.
        cursor_param: Text [usually "`cursor`"],
        ..counting: CountingDocument,
        ..ending: EndingDocument,
    }
}

mapping! {
    /// Follows a link in a page's body.
    JsonLinkDocument "json_link" {
        /// Where the link is. It may be relative.
        next_url_path: Path ["next".to_owned()] like "links.next",
        ..counting: CountingDocument,
        ..ending: EndingDocument,
    }
}

mapping! {
    /// Follows the `Link` header (RFC 8288).
    HeaderLinkDocument "header_link" {
        /// The relation of the link.
        links_next_key: Text ["next".to_owned()],
        ..counting: CountingDocument,
        ..ending: EndingDocument,
    }
}

mapping! {
    /// Asks for what comes after the last record of a page. It needs `data_selector`.
    KeysetDocument "keyset" {
        /// Where a record has the value, a string or a number. The last record must have it.
        value_path: Path [required] like "id",
        /// The query parameter that takes it.
        param: Text [usually "this or `body_path`"],
        /// The place in the body that takes it.
        body_path: Path [usually "this or `param`"],
        ..counting: CountingDocument,
        ..ending: EndingDocument,
    }
}
