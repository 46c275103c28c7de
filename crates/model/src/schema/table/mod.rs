//! The columns of a table whose names or nesting are not those of its records. Names only: holds no
//! data.

pub(crate) mod child_tables;
pub(crate) mod deletes;
pub(crate) mod folder_name;
pub(crate) mod load_metadata;
pub(crate) mod moved;
pub(crate) mod naming;
pub(crate) mod nested;
pub(crate) mod source;
pub(crate) mod table_shape;
