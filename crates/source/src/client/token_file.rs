//! The file in which a rotated refresh token is kept.

use std::io::Write as _;
use std::path::Path;

use lakefeed_model::error::{Error, Result};
use lakefeed_model::secret::Secret;

/// Returns the refresh token that an earlier run kept.
pub(super) fn read(file: &Path) -> Result<Option<Secret>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(Secret::new)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(Error::auth(format!("the refresh token file {} cannot be read", file.display())).with_source(error))
        }
    }
}

/// Checks that a rotated refresh token could be kept, before it is asked for: the answer makes the
/// old one void.
pub(super) fn check(file: &Path) -> Result<()> {
    tempfile::NamedTempFile::new_in(folder_of(file)).map(drop).map_err(|error| {
        Error::auth(format!("a rotated refresh token could not be kept in {}, so none was asked for", file.display()))
            .with_source(error)
            .with_hint("make the folder of client.auth.refresh_token_file, and make it writable")
    })
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Makes the file's new name last a loss of power.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    // Elsewhere a folder cannot be opened as a file, and names last without it.
    if cfg!(unix) { std::fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Keeps a rotated refresh token: the old one may be void from now on, so the file is replaced as a
/// whole or not at all.
pub(super) fn keep(file: &Path, token: &Secret) -> Result<()> {
    let replace = || {
        // A temporary file is for its owner only.
        let mut temporary = tempfile::NamedTempFile::new_in(folder_of(file))?;
        temporary.write_all(token.expose().as_bytes())?;
        temporary.as_file().sync_all()?;
        temporary.persist(file).map_err(|error| error.error)?;
        sync_folder(folder_of(file))
    };
    replace().map_err(|error| {
        Error::auth(format!("the rotated refresh token cannot be kept in {}", file.display()))
            .with_source(error)
            .with_hint("the old token may be void now: make the file writable and get a new refresh token")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotated_token_is_kept_as_a_whole_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        assert!(read(&file).unwrap().is_none());
        for token in ["first", "second"] {
            keep(&file, &Secret::new(token)).unwrap();
            assert_eq!(read(&file).unwrap().unwrap().expose(), token);
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        check(&file).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(check(&folder.path().join("gone/token")).is_err());
        assert!(keep(&folder.path().join("gone/token"), &Secret::new("x")).is_err());
    }
}
