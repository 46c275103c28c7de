//! What a process is given beside its arguments, as a value that is passed in.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Variables, and files that a pipeline names: all that the library takes from its surroundings
/// without being asked by a setting.
///
/// Nothing else of the process's variables is read, but for two that other libraries look up: TLS
/// to an S3 store the machine's roots (`SSL_CERT_FILE`), and merging how many threads it may have
/// (`RAYON_NUM_THREADS`). No home directory is looked for. An embedding program passes
/// [`Self::of_process`] where it wants them, or names each one:
///
/// ```
/// # use lakefeed_model::environment::Environment;
/// let environment = Environment::empty().with_variable("CLIENT_ID", "calendar").with_file("events.json", "{}");
/// assert_eq!(environment.variable("CLIENT_ID"), Some("calendar"));
/// assert_eq!(environment.variable("HOME"), None);
/// ```
///
/// | variable | what it is for |
/// | --- | --- |
/// | any | `${env:NAME}` in a pipeline file |
/// | `AWS_…` | credentials, region and endpoint of an S3 store |
/// | `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` | proxies to the API and to an S3 store |
/// | `TMPDIR` | the folder for temporary files, in which waits what does not fit into memory |
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
    is_of_process: bool,
}

impl Environment {
    /// Holds nothing.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Holds the variables of this process as they are now. Values that are not UTF-8 are left out.
    ///
    /// With this one alone, TLS also trusts the roots that the machine has, beside Mozilla's, which
    /// are built in: variables say where they are.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { is_of_process: true, ..std::env::vars_os().filter_map(text).collect() }
    }

    /// Sets a variable.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Gives the text of a file that a pipeline names by `path`; it is not read from a disk then.
    #[must_use]
    pub fn with_file(mut self, path: impl Into<String>, text: impl Into<String>) -> Self {
        self.files.insert(path.into(), text.into());
        self
    }

    /// Returns the variable of that name.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Returns the first of these variables that is set and not empty.
    pub fn first_of(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.variable(name).filter(|value| !value.is_empty()))
    }

    /// Returns the variables with their values, in the order of their names.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the text of the file that a pipeline names by `path`, where it was given.
    pub fn file(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Returns whether TLS trusts the roots of this machine, too.
    pub const fn trusts_machine(&self) -> bool {
        self.is_of_process
    }

    /// Returns the folder for temporary files: `TMPDIR`, or where the system has them.
    #[cfg_attr(
        not(unix),
        expect(clippy::disallowed_methods, reason = "elsewhere the system alone knows where they belong")
    )]
    pub fn temporary_folder(&self) -> PathBuf {
        #[cfg(unix)]
        let usual = || PathBuf::from("/tmp");
        #[cfg(not(unix))]
        let usual = std::env::temp_dir;
        self.first_of(&["TMPDIR"]).map_or_else(usual, PathBuf::from)
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, ..Self::empty() }
    }
}

/// Names the variables and files; their values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys())
            .field("files", &self.files.keys())
            .field("is_of_process", &self.is_of_process)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_holds_what_it_was_given_and_shows_no_value() {
        let environment: Environment = [("TMPDIR", ""), ("CLIENT_SECRET", "hush")].into_iter().collect();
        let environment = environment.with_file("key.pem", "hush");
        assert_eq!(environment.variable("TMPDIR"), Some(""));
        assert_eq!(environment.first_of(&["TMPDIR", "CLIENT_SECRET"]), Some("hush"));
        assert_eq!(environment.file("key.pem"), Some("hush"));
        assert!(!format!("{environment:?}").contains("hush"), "{environment:?}");
        assert!(!environment.trusts_machine());
        assert_eq!(environment.with_variable("TMPDIR", "/scratch").temporary_folder(), PathBuf::from("/scratch"));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test looks at what must be found")]
    fn only_the_environment_of_the_process_holds_its_variables() {
        assert_eq!(Environment::empty().variables().count(), 0);
        let path = std::env::var("PATH").unwrap();
        assert_eq!(Environment::of_process().variable("PATH"), Some(path.as_str()));
    }
}
