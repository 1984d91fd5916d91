//! Audits the files of a project within limits.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::{
    error::AuditError,
    types::{Audit, AuditProject, Counts, FileReport, LARGEST_SOURCE, Method},
    worker::Stop,
};

/// The maximum number of audited files.
const MAX_FILES: usize = 2_000;

/// The maximum size of all audited files together, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// The maximum number of directory entries that are visited.
const MAX_ENTRIES: usize = 50_000;

/// Directories that are skipped: build output and test code. Hidden directories are skipped too.
const SKIPPED: [&str; 3] = ["target", "tests", "benches"];

/// Audits the Rust files of a directory, in the order of their paths. Links are not followed.
pub(super) fn audit(
    directory: &Path,
    request: &AuditProject,
    method: Method,
    stop: &Stop,
) -> Result<Audit, AuditError> {
    let (sources, mut truncated) = sources(directory, stop)?;
    let (mut total, mut files, mut skipped, mut bytes) = (Counts::default(), Vec::new(), 0, 0);
    for source in sources {
        stop.check()?;
        let Ok(text) = read(&source) else {
            skipped += 1;
            continue;
        };
        bytes += text.len();
        if bytes > MAX_BYTES {
            truncated = true;
            break;
        }
        let path = source.strip_prefix(directory).unwrap_or(&source).to_string_lossy().into_owned();
        match method.read(&text, request.max_lines) {
            Ok(report) => {
                total.add(&report.counts);
                files.push(FileReport { path, report });
            }
            Err(error) => return Err(AuditError::Unreadable { place: path, error }),
        }
    }
    let files_audited = files.len();
    files.sort_by_key(|file| std::cmp::Reverse(file.report.counts.findings()));
    files.truncate(request.files.clamp(1, 100) as usize);
    Ok(Audit { method, files_audited, files_skipped: skipped, truncated, total, files })
}

/// The Rust files below a directory, and whether a limit was reached.
fn sources(directory: &Path, stop: &Stop) -> Result<(Vec<PathBuf>, bool), AuditError> {
    let (mut sources, mut left) = (Vec::new(), MAX_ENTRIES);
    let mut found = vec![directory.to_owned()];
    while let Some(path) = found.pop() {
        stop.check()?;
        if !path.is_dir() {
            if sources.len() == MAX_FILES {
                return Ok((sources, true));
            }
            sources.push(path);
            continue;
        }
        let entries = match path.read_dir() {
            Ok(entries) => entries,
            Err(error) if path == directory => return Err(error.into()),
            // Directories without read permission are skipped.
            Err(_) => continue,
        };
        let mut entries: Vec<_> = entries.take(left).filter_map(Result::ok).collect();
        left -= entries.len();
        entries.retain(is_wanted);
        // The last element is visited next.
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.file_name()));
        found.extend(entries.iter().map(fs::DirEntry::path));
    }
    Ok((sources, left == 0))
}

/// Whether the entry is a directory to visit or a Rust file. A link is neither.
fn is_wanted(entry: &fs::DirEntry) -> bool {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    let Ok(kind) = entry.file_type() else { return false };
    if kind.is_dir() {
        !name.starts_with('.') && !SKIPPED.contains(&&*name)
    } else {
        kind.is_file() && name.ends_with(".rs")
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    // One byte more than allowed, to detect files that are too large.
    File::open(path)?.take(LARGEST_SOURCE as u64 + 1).read_to_string(&mut text)?;
    if text.len() > LARGEST_SOURCE { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn project(files: &[(&str, &str)]) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    fn audit_of(directory: &TempDir) -> Audit {
        let request = AuditProject { path: String::new(), max_lines: 60, files: 100 };
        audit(directory.path(), &request, Method::Syntax, &Stop::never()).unwrap()
    }

    fn paths(audit: &Audit) -> Vec<&str> {
        audit.files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn only_sources_of_the_project_are_audited() {
        let files = ["src/b.rs", "src/a.rs", "build.rs", "README.md", "target/c.rs", ".git/d.rs", "tests/e.rs"];
        let directory = project(&files.map(|path| (path, "")));
        assert_eq!(paths(&audit_of(&directory)), ["build.rs", "src/a.rs", "src/b.rs"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let elsewhere = project(&[("secret.rs", "fn a() {}")]);
        let directory = project(&[("src/a.rs", "")]);
        let link = |to: &Path, name| std::os::unix::fs::symlink(to, directory.path().join(name)).unwrap();
        link(elsewhere.path(), "src/directory");
        link(&elsewhere.path().join("secret.rs"), "src/file.rs");
        link(directory.path(), "src/circle");
        assert_eq!(paths(&audit_of(&directory)), ["src/a.rs"]);
    }

    #[test]
    fn unreadable_files_are_counted_and_skipped() {
        let directory = project(&[("a.rs", ""), ("large.rs", &" ".repeat(LARGEST_SOURCE + 1))]);
        fs::write(directory.path().join("latin.rs"), b"// \xe9").unwrap();
        fs::write(directory.path().join("largest.rs"), " ".repeat(LARGEST_SOURCE)).unwrap();
        let audit = audit_of(&directory);
        assert_eq!((audit.files_audited, audit.files_skipped, audit.truncated), (2, 2, false));
    }

    #[test]
    fn a_project_that_is_too_large_is_audited_partly() {
        let names: Vec<_> = (0..=MAX_FILES).map(|number| format!("{number:04}.rs")).collect();
        let files: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
        let audit = audit_of(&project(&files));
        assert_eq!((audit.files_audited, audit.truncated), (MAX_FILES, true));
        let large = " ".repeat(LARGEST_SOURCE);
        let files: Vec<_> = names.iter().take(40).map(|name| (name.as_str(), large.as_str())).collect();
        let audit = audit_of(&project(&files));
        assert_eq!((audit.files_audited, audit.truncated), (MAX_BYTES / LARGEST_SOURCE, true));
    }

    #[test]
    fn files_with_the_most_findings_come_first() {
        let directory =
            project(&[("a.rs", ""), ("b.rs", "fn b() { c.unwrap(); d.unwrap() }"), ("e.rs", "fn e() { f.unwrap() }")]);
        let audit = audit_of(&directory);
        assert_eq!(paths(&audit), ["b.rs", "e.rs", "a.rs"]);
        assert_eq!((audit.total.functions, audit.total.findings()), (2, 3));
    }
}
