//! Names that a folder may have on every store.

/// Returns whether a folder may be called so, on every store.
pub fn is_folder_name(name: &str) -> bool {
    const BYTES_MAX: usize = 200;
    !name.is_empty() && name.len() <= BYTES_MAX && !name.starts_with(['.', '_']) && name.chars().all(is_for_folders)
}

/// Returns whether names of folders may have the character.
pub fn is_for_folders(character: char) -> bool {
    !character.is_control() && !"/\\:*?\"<>|=%#~".contains(character)
}
