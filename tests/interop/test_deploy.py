"""What deploy/ brings, before the programs that will read it: Kubernetes' schemas, Prometheus, and this gateway itself.

docs/install.md and the Debian package are played by tests/install/run.py, on machines that systemd boots.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import yaml

import demo

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
VALIDATE = Path(sys.executable).parent / "kubernetes-validate"


def needs(tool, package):
    return unittest.skipUnless(shutil.which(tool), f"DID NOT RUN: {tool} is not installed (Debian: apt-get install {package})")


def documents():
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))


def the(kind, name="hjemmel"):
    return next(found for found in documents() if found["kind"] == kind and found["metadata"]["name"] == name)


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


class Kubernetes(unittest.TestCase):
    def validate(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(text)
            file.flush()
            return subprocess.run([VALIDATE, "--strict", file.name], capture_output=True, text=True)

    def test_every_resource_is_what_kubernetes_schemas_want(self):
        text = (DEPLOY / "kubernetes.yaml").read_text()
        judged = self.validate(text)
        self.assertEqual(judged.returncode, 0, judged.stderr + judged.stdout)
        self.assertEqual((judged.stdout + judged.stderr).count("passed for resource"), len(documents()))
        # The judge is awake: a slip that a cluster would pass over in silence is refused.
        slip = self.validate(text.replace("readinessProbe:", "readynessProbe:"))
        self.assertNotEqual(slip.returncode, 0)

    def test_no_container_is_root_writes_its_image_or_holds_a_right(self):
        pod = the("StatefulSet")["spec"]["template"]["spec"]
        self.assertTrue(pod["securityContext"]["runAsNonRoot"])
        self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
        self.assertFalse(pod["automountServiceAccountToken"])
        for container in pod["initContainers"] + pod["containers"]:
            locked = container["securityContext"]
            self.assertTrue(locked["readOnlyRootFilesystem"])
            self.assertFalse(locked["allowPrivilegeEscalation"])
            self.assertEqual(locked["capabilities"], {"drop": ["ALL"]})
            self.assertIn("memory", container["resources"]["limits"])

    def test_each_mount_has_its_volume_and_lies_beside_the_others(self):
        pod = the("StatefulSet")["spec"]["template"]["spec"]
        volumes = {volume["name"] for volume in pod["volumes"]} | {claim["metadata"]["name"] for claim in the("StatefulSet")["spec"]["volumeClaimTemplates"]}
        for container in pod["initContainers"] + pod["containers"]:
            paths = [mount["mountPath"] for mount in container["volumeMounts"]]
            self.assertLessEqual({mount["name"] for mount in container["volumeMounts"]}, volumes)
            # No runtime can make a place to mount in a volume that is read only.
            below = [(one, other) for one in paths for other in paths if other.startswith(one + "/")]
            self.assertEqual(below, [])

    def test_one_gateway_stays_and_calls_under_way_are_finished(self):
        stateful, budget = the("StatefulSet")["spec"], the("PodDisruptionBudget")["spec"]
        self.assertEqual(stateful["replicas"], 2)
        self.assertLess(budget["minAvailable"], stateful["replicas"])
        self.assertEqual(budget["selector"], stateful["selector"])
        container = stateful["template"]["spec"]["containers"][0]
        waits = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        self.assertGreater(stateful["template"]["spec"]["terminationGracePeriodSeconds"], waits + 5 + 30, "limits.drain_delay and drain_timeout")
        self.assertEqual(stateful["persistentVolumeClaimRetentionPolicy"], {"whenDeleted": "Retain", "whenScaled": "Retain"}, "records of an authority")

    def test_prometheus_reaches_the_metrics_and_callers_the_service_alone(self):
        ports = {port["name"]: port["containerPort"] for port in the("StatefulSet")["spec"]["template"]["spec"]["containers"][0]["ports"]}
        self.assertEqual(ports, {"https": 8443, "metrics": 9464})
        nodes = the("Service", "hjemmel-nodes")["spec"]
        self.assertEqual([(port["name"], port["targetPort"]) for port in nodes["ports"]], [("metrics", "metrics")])
        self.assertTrue(nodes["publishNotReadyAddresses"], "a gateway that drains is still looked at")
        self.assertEqual(the("StatefulSet")["spec"]["serviceName"], "hjemmel-nodes")
        self.assertEqual([port["targetPort"] for port in the("Service")["spec"]["ports"]], ["https"])
        ingress = the("NetworkPolicy")["spec"]["ingress"]
        to_metrics = [rule for rule in ingress if {"port": "metrics"} in rule["ports"]]
        self.assertTrue(to_metrics and all("from" in rule for rule in to_metrics))


@unittest.skipUnless(demo.binary(), "DID NOT RUN: the configuration and the probes of deploy/kubernetes.yaml, for HJEMMEL_BIN names no program")
class Pod(unittest.TestCase):
    """The ConfigMap's configuration and the probes' commands, with files where the manifest mounts them."""

    @classmethod
    def setUpClass(cls):
        cls.running = demo.Demo(demo.binary())
        cls.folder = tempfile.TemporaryDirectory()
        etc = Path(cls.folder.name) / "etc/hjemmel"
        for part in ("config", "certs", "keys", "node", "probe", "audit"):
            (etc / part).mkdir(parents=True)
        pki, audit = cls.running.dir / "pki", cls.running.dir / "audit-keys"
        for name in ("root", "issuing", "gateway-server", "gateway-client", "index-signing"):
            shutil.copy(pki / f"{name}.pem", etc / "certs")
        for name in ("gateway-server", "gateway-client"):
            shutil.copy(pki / f"{name}.key.pem", etc / "keys")
        shutil.copy(cls.running.dir / "sts-metadata.xml", etc / "certs")
        shutil.copy(pki / "issuing.pem", etc / "certs/db-ca.pem")
        (etc / "certs/operators-ca.pem").write_bytes((pki / "issuing.pem").read_bytes() + (pki / "root.pem").read_bytes())
        shutil.copy(pki / "client-udk.pem", etc / "certs/probe.pem")
        shutil.copy(pki / "client-udk.key.pem", etc / "probe/probe.key.pem")
        shutil.copy(audit / "auditors.pub", etc / "certs")
        shutil.copy(audit / "pseudonym.key", etc / "keys")
        shutil.copy(audit / "checkpoint.key", etc / "node")
        (etc / "keys/db.password").write_text("not-a-real-one\n")
        os.chmod(etc / "keys/db.password", 0o600)
        cls.etc, cls.ports = etc, (free_port(), free_port())
        text = the("ConfigMap", "hjemmel-config")["data"]["hjemmel.toml"]
        cls.named = set(re.findall(r'"(/etc/hjemmel/[^"]+)"', text))
        cls.text = text.replace("/etc/hjemmel", str(etc)).replace("/var/lib/hjemmel/audit", str(etc / "audit")).replace(
            "/usr/share/hjemmel/policies", str(ROOT / "policies"))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()
        if cls.running.stop() != 0:
            raise RuntimeError("the demo did not stop in good order on Ctrl-C")

    def configuration(self, text):
        file = self.etc / "config/hjemmel.toml"
        file.write_text(text)
        return file

    def test_each_file_that_the_configuration_names_is_mounted(self):
        told = (DEPLOY / "kubernetes.yaml").read_text()
        for path in self.named:
            name = Path(path).name
            self.assertTrue(f"--from-file={name}" in told or name == "checkpoint.key", f"{path} is in no ConfigMap or Secret")

    def test_the_configuration_is_in_order_but_for_the_database_that_is_not_here(self):
        text = self.text.replace("db.hjemmel.svc:5432", f"localhost:{free_port()}")
        checked = subprocess.run([demo.binary(), "check", "--json", "--config", self.configuration(text)], capture_output=True, text=True)
        told = json.loads(checked.stdout)
        self.assertEqual([problem["setting"] for problem in told["problems"] if problem["setting"] != "store.url"], [], told)

    def test_the_probes_ask_the_admin_listener_and_get_an_answer_only_with_their_certificate(self):
        port, admin = self.ports
        text = re.sub(r'\[store\]\n(?:.+\n)+', f'[store]\nurl = "sqlite:{self.etc}/audit.sqlite"\n', self.text)
        text = text.replace('replay_memory = "database"\n', "").replace("[listen]\n", f'[listen]\naddress = "127.0.0.1:{port}"\n')
        text = text.replace("0.0.0.0:9464", f"127.0.0.1:{admin}")
        with open(self.etc / "log", "w+") as log, subprocess.Popen(
                [demo.binary(), "serve", "--config", self.configuration(text)], stderr=log) as gateway:
            try:
                container = the("StatefulSet")["spec"]["template"]["spec"]["containers"][0]
                for name in ("startupProbe", "readinessProbe", "livenessProbe"):
                    command = [part.replace("gateway.example:9464", f"localhost:{admin}").replace("/etc/hjemmel", str(self.etc))
                               for part in container[name]["exec"]["command"]]
                    self.assertEqual(command[0], "/usr/local/bin/hjemmel", "where the Containerfile puts it")
                    command[0] = demo.binary()
                    tries = 100 if name == "startupProbe" else 1
                    for _ in range(tries):
                        asked = subprocess.run(command, capture_output=True, text=True)
                        if asked.returncode == 0 or gateway.poll() is not None:
                            break
                    log.seek(0)
                    self.assertEqual(asked.returncode, 0, asked.stderr + log.read())
                bare = [part for part in command if not part.startswith(("--certificate", "--key"))]
                self.assertNotEqual(subprocess.run(bare, capture_output=True).returncode, 0)
            finally:
                gateway.terminate()


class Container(unittest.TestCase):
    def test_the_build_context_holds_all_that_is_compiled_and_no_key(self):
        kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
        self.assertIn("*", (ROOT / ".dockerignore").read_text().splitlines(), "what is not named stays out")
        manifest = (ROOT / "Cargo.toml").read_text()
        for target in re.findall(r'^path = "(\w+)/', manifest, re.MULTILINE):
            self.assertIn(target, kept)
        # What the program holds of the tree, by include_str! and build.rs.
        for source in (source for source in (ROOT / "src").rglob("*.rs") if "tests" not in source.stem and "tests" not in source.parts):
            for included in re.findall(r'include_(?:str|bytes)!\(\s*"((?:\.\./)+[^"]+)"', source.read_text()):
                path = (source.parent / included).resolve().relative_to(ROOT)
                self.assertIn(path.parts[0], kept, f"{source}: {included}")
        self.assertLessEqual({"Cargo.toml", "Cargo.lock", "build.rs", "src", "migrations", "policies", "deploy"}, kept)
        self.assertFalse(kept & {"target", ".git", "tests", "fuzz"})

    def test_the_image_is_run_by_nobody_and_asks_itself_how_it_is(self):
        lines = (DEPLOY / "Containerfile").read_text().splitlines()
        said = {line.split()[0]: line for line in lines if re.match(r"[A-Z]+ ", line)}
        self.assertEqual(said["USER"], "USER 65532:65532")
        health = json.loads(said["HEALTHCHECK"].split(" CMD ")[1])
        self.assertEqual(health, ["/usr/local/bin/hjemmel", "ready"])
        self.assertTrue(any(line.startswith("COPY --from=build /build/hjemmel /usr/local/bin/hjemmel") for line in lines))


@unittest.skipUnless(demo.binary() and os.geteuid() == 0 and shutil.which("buildah") and shutil.which("busybox"),
                     "DID NOT RUN: the image, for it needs HJEMMEL_BIN, root, buildah and busybox-static")
class Image(unittest.TestCase):
    """The Containerfile by buildah. Its two base images cannot be had here: what stands in for them has this machine's libc, and a
    `cargo` that takes the program at hand. All else, the context above all, is as it will be."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="hjemmel-image-")
        self.dir = Path(folder.name)
        self.addCleanup(folder.cleanup)

    def buildah(self, *arguments, **options):
        storage = ["--storage-driver", "vfs", "--root", self.dir / "store", "--runroot", self.dir / "run"]
        done = subprocess.run(["buildah", *storage, *arguments], capture_output=True, text=True, **options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout.strip()

    def image(self, name, fill, *settings):
        container = self.buildah("from", "scratch")
        fill(Path(self.buildah("mount", container)))
        if settings:
            self.buildah("config", *settings, container)
        self.buildah("commit", "--quiet", "--rm", container, name)

    def test_the_image_is_built_from_the_tree_alone_and_its_program_runs_as_nobody(self):
        from_line, to_line = re.findall(r"^FROM (\S+)", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
        program = self.dir / "program"
        subprocess.run(["objcopy", "--strip-all", demo.binary(), program], check=True)

        def tools(root):
            for folder in ("bin", "tmp", "var/lib/apt/lists"):
                (root / folder).mkdir(parents=True)
            shutil.copy(shutil.which("busybox"), root / "bin/busybox")
            for tool in ("sh", "cp", "mkdir", "rm", "stat", "chmod", "find", "sort", "echo"):
                (root / "bin" / tool).symlink_to("busybox")
            shutil.copy(program, root / "program")
            for name, does in {"apt-get": "exit 0",
                               "cargo": "find . -type f | sort >/tmp/context; cp /tmp/context /build/policies/context; mkdir -p target/dist; cp /program target/dist/hjemmel",
                               "objcopy": 'for last; do :; done; cp /program "$last"'}.items():
                (root / "bin" / name).write_text(f"#!/bin/sh\n{does}\n")
                (root / "bin" / name).chmod(0o755)

        def libraries(root):
            linked = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
            for library in re.findall(r"(/\S+) \(0x", linked):
                (root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library, root / library[1:])

        self.image(from_line, tools, "--env", "PATH=/bin")
        self.image(to_line, libraries)
        # What must stay out: a key that somebody left in the tree.
        stray = DEPLOY / "stray-for-the-test.key"
        stray.write_text("no key\n")
        self.addCleanup(stray.unlink)
        self.buildah("build", "--isolation", "chroot", "--pull-never", "--format", "docker", "-f", DEPLOY / "Containerfile", "-t", "hjemmel:try", ROOT)

        root = Path(self.buildah("mount", self.buildah("from", "--pull-never", "hjemmel:try")))
        context = {line[2:] for line in (root / "usr/share/hjemmel/policies/context").read_text().splitlines()}
        kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
        tracked = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *kept, ":!deploy/stray-for-the-test.key"],
                                 cwd=ROOT, check=True, capture_output=True, text=True)
        self.assertEqual(context, set(tracked.stdout.splitlines()))
        said = subprocess.run(["chroot", "--userspec=65532:65532", root, "/usr/local/bin/hjemmel", "--version"], check=True, capture_output=True, text=True)
        self.assertRegex(said.stdout, r"^hjemmel \d")
        self.assertTrue((root / "usr/share/hjemmel/policies/terminaladgang-6.toml").exists())
        self.assertFalse(list(root.rglob("*.debug")) + list(root.rglob("busybox")), "neither symbols nor tools")
        image = json.loads(self.buildah("inspect", "hjemmel:try"))["Docker"]["config"]
        self.assertEqual((image["User"], image["Healthcheck"]["Test"]), ("65532:65532", ["CMD", "/usr/local/bin/hjemmel", "ready"]))
        self.buildah("rm", "--all")


class Sbom(unittest.TestCase):
    @unittest.skipUnless(shutil.which("cargo-cyclonedx") or (ROOT / "target/tools/bin/cargo-cyclonedx").exists(),
                         "DID NOT RUN: deploy/sbom.sh, for cargo-cyclonedx is not there (the command itself builds it)")
    def test_the_bill_of_materials_is_cyclonedx_and_names_what_is_built_in_with_digests(self):
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "hjemmel.cdx.json"
            subprocess.run([DEPLOY / "sbom.sh", file], check=True, capture_output=True)
            text = file.read_text()
        self.assertIsNone(JsonStrictValidator(SchemaVersion.V1_5).validate_str(text))
        bill = json.loads(text)
        names = {component["name"] for component in bill["components"]}
        self.assertLessEqual({"rustls", "hyper", "sqlx", "aws-lc-rs"}, names)
        self.assertFalse({"proptest", "tempfile", "clap_mangen"} & names, "what tests alone need is not built in")
        self.assertTrue(all(component.get("hashes") for component in bill["components"]))


class Prometheus(unittest.TestCase):
    @needs("promtool", "prometheus")
    def test_the_rules_wake_somebody_when_they_should_and_only_then(self):
        for command in (["check", "rules", DEPLOY / "prometheus-rules.yaml"],
                        ["check", "config", "--syntax-only", DEPLOY / "prometheus.example.yaml"],
                        ["test", "rules", Path(__file__).parent / "prometheus-rules.test.yaml"]):
            said = subprocess.run(["promtool", *command], capture_output=True, text=True)
            self.assertEqual(said.returncode, 0, said.stdout + said.stderr)


if __name__ == "__main__":
    unittest.main()
