//! The control groups that contain this process, whose limits apply to it.

use std::path::{Path, PathBuf};

/// A control group, by the folder of its files.
pub(super) struct Group {
    pub(super) folder: PathBuf,
    /// Whether the group is of version 2, whose files have other names.
    pub(super) is_v2: bool,
}

impl Group {
    /// Reads a file of the group.
    pub(super) fn read(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.join(file)).ok()
    }
}

/// Returns all groups, of version 1 or 2, that contain this process and may limit what `controller` controls.
pub(super) fn around(root: &Path, controller: &str) -> Vec<Group> {
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let mut around = Vec::new();
    for group in groups.lines() {
        // The format is number, controllers, path; a group of version 2 lists no controllers.
        let Some((controllers, path)) = group.split_once(':').and_then(|(_, rest)| rest.split_once(':')) else {
            continue;
        };
        let is_v2 = controllers.is_empty();
        // In version 1, the mount has the name of one controller or of all that share it.
        let mounts = if is_v2 {
            vec![String::new()]
        } else if controllers.split(',').any(|it| it == controller) {
            vec![controller.to_owned(), controllers.to_owned()]
        } else {
            continue;
        };
        for mount in mounts {
            let mount = root.join("sys/fs/cgroup").join(mount);
            // In a container the process's group is the root; outside, the limits of all parent groups apply too.
            let folders = Path::new(path.trim_start_matches('/')).ancestors();
            around.extend(folders.map(|folder| Group { folder: mount.join(folder), is_v2 }));
        }
    }
    around
}

/// A folder with the files of a system, for the tests of the checks.
#[cfg(test)]
pub(super) struct FakeRoot(pub(super) PathBuf);

#[cfg(test)]
impl FakeRoot {
    pub(super) fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("resilient-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&root).expect("a folder");
        Self(root)
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
}

#[cfg(test)]
impl Drop for FakeRoot {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
