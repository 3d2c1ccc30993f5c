//! What a running gateway cannot change: a reload keeps these settings as they are, and names them.

use super::{Config, ServiceSection, SharedSections};

impl<S: ServiceSection> Config<S> {
    /// Puts what only a restart can change back to what `running` has, and gives the names of the settings that differed.
    ///
    /// Sockets, the audit log and the store are held open; the memory against replay was made for `timestamp_max_age` and
    /// `clock_skew`: were they to grow under it, it could forget a message that may still pass.
    pub fn keep_until_restart(&mut self, running: &Self) -> Vec<&'static str> {
        let mut differing = Vec::new();
        let mut keep = Keep(&mut differing);
        keep.setting("clock_skew", &mut self.clock_skew, &running.clock_skew);
        keep.setting("timestamp_max_age", &mut self.timestamp_max_age, &running.timestamp_max_age);
        keep.setting("replay_memory", &mut self.replay_memory, &running.replay_memory);
        keep.setting("replay_capacity", &mut self.replay_capacity, &running.replay_capacity);
        keep.setting("replay_wait", &mut self.replay_wait, &running.replay_wait);
        keep.setting("log_format", &mut self.log_format, &running.log_format);
        keep.setting("telemetry", &mut self.telemetry, &running.telemetry);
        keep.setting("listen.address", &mut self.listen.address, &running.listen.address);
        keep.setting("admin.address", &mut self.admin.address, &running.admin.address);
        // From TLS to none or back; other CAs are taken over.
        if self.admin.client_roots.is_empty() != running.admin.client_roots.is_empty() {
            keep.setting("admin.client_roots", &mut self.admin.client_roots, &running.admin.client_roots);
        }
        keep.setting("api.address", &mut self.api.address, &running.api.address);
        // Without the listener its CAs may go; with it they are exchanged.
        if self.api.address.is_some() && self.api.client_roots.is_empty() {
            keep.setting("api.client_roots", &mut self.api.client_roots, &running.api.client_roots);
        }
        keep.setting("console.address", &mut self.console.address, &running.console.address);
        keep.setting("console.public_url", &mut self.console.public_url, &running.console.public_url);
        keep.setting("console.assets", &mut self.console.assets, &running.console.assets);
        keep.setting("console.contact", &mut self.console.contact, &running.console.contact);
        keep.setting("console.idle_timeout", &mut self.console.idle_timeout, &running.console.idle_timeout);
        keep.setting("console.lifetime", &mut self.console.lifetime, &running.console.lifetime);
        keep.setting("console.one_time_links", &mut self.console.one_time_links, &running.console.one_time_links);
        keep.setting("store", &mut self.store, &running.store);
        keep.setting("agreements", &mut self.agreements, &running.agreements);
        keep.setting("objects", &mut self.objects, &running.objects);
        keep.setting("sftp", &mut self.sftp, &running.sftp);
        keep.0.extend(SharedSections::keep_until_restart(&mut self.shared, &running.shared));
        keep.setting("mail", &mut self.mail, &running.mail);
        keep.setting("audit", &mut self.audit, &running.audit);
        keep.setting("limits", &mut self.limits, &running.limits);
        differing
    }
}

struct Keep<'a>(&'a mut Vec<&'static str>);

impl Keep<'_> {
    fn setting<T: PartialEq + Clone>(&mut self, name: &'static str, fresh: &mut T, running: &T) {
        if fresh != running {
            self.0.push(name);
            fresh.clone_from(running);
        }
    }
}
