//! Which records delete.

use crate::expression::Expression;

/// Which records delete. Any one of the conditions will do.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct DeletesSpec {
    /// The field that deletes when it is true, or anything but false and null; its key, or the name
    /// of its column.
    pub column: Option<String>,
    /// The expression that deletes when it is true.
    pub when: Option<Expression>,
}
