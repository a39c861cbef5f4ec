"""fetch_git_sha: the commit an app runs from, in every layout that git itself makes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from raven.exceptions import InvalidGitRepository

from flask_sentry_kit import fetch_git_sha, release

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """Run git in a folder below tmp_path, with nobody's settings."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "A",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "A",
        "GIT_COMMITTER_EMAIL": "a@example.org",
    }

    def run(folder: Path, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture
def repository(git: Git, tmp_path: Path) -> Path:
    """A repository with two commits on main and one on a branch."""
    folder = tmp_path / "shop"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "commit", "-q", "--allow-empty", "-m", "one")
    git(folder, "branch", "feature/old")
    git(folder, "commit", "-q", "--allow-empty", "-m", "two")
    return folder


def test_a_plain_repository(git: Git, repository: Path) -> None:
    """The commit of HEAD, and of a branch that is named."""
    assert fetch_git_sha(str(repository)) == git(repository, "rev-parse", "HEAD")
    assert fetch_git_sha(repository, "feature/old") == git(repository, "rev-parse", "feature/old")


def test_a_subdirectory(git: Git, repository: Path) -> None:
    """os.path.dirname(__file__) is deep inside the work tree."""
    deep = repository / "shop" / "web"
    deep.mkdir(parents=True)
    assert fetch_git_sha(str(deep)) == git(repository, "rev-parse", "HEAD")


def test_packed_refs(git: Git, repository: Path) -> None:
    """After git gc the refs are in one file, with tags and comments between them."""
    git(repository, "tag", "-a", "-m", "v1", "v1")
    git(repository, "pack-refs", "--all")
    assert not (repository / ".git" / "refs" / "heads" / "main").exists()
    assert fetch_git_sha(repository) == git(repository, "rev-parse", "HEAD")
    assert fetch_git_sha(repository, "feature/old") == git(repository, "rev-parse", "feature/old")


def test_a_detached_head(git: Git, repository: Path) -> None:
    """HEAD that names a commit is that commit."""
    git(repository, "checkout", "-q", "--detach", "HEAD~1")
    assert fetch_git_sha(repository) == git(repository, "rev-parse", "HEAD")


def test_a_worktree(git: Git, repository: Path, tmp_path: Path) -> None:
    """A linked work tree has its own HEAD and shares the branches."""
    tree = tmp_path / "tree"
    git(repository, "worktree", "add", "-q", str(tree), "feature/old")
    (tree / "deep").mkdir()
    for folder in (tree, tree / "deep"):
        assert fetch_git_sha(folder) == git(tree, "rev-parse", "HEAD")
    assert fetch_git_sha(tree) != fetch_git_sha(repository)
    git(repository, "pack-refs", "--all")
    assert fetch_git_sha(tree) == git(tree, "rev-parse", "HEAD")


def test_a_submodule(git: Git, repository: Path, tmp_path: Path) -> None:
    """A submodule's .git is a file that leads into its parent's."""
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q", "-b", "main")
    git(outer, "submodule", "--quiet", "add", str(repository), "vendor/shop")
    git(outer, "commit", "-q", "-m", "one")
    inner = outer / "vendor" / "shop"
    assert (inner / ".git").is_file()
    assert fetch_git_sha(inner) == git(repository, "rev-parse", "HEAD")
    assert fetch_git_sha(outer) == git(outer, "rev-parse", "HEAD")


def test_a_bare_repository(git: Git, repository: Path, tmp_path: Path) -> None:
    """Where a deployment's hook runs there is no work tree."""
    bare = tmp_path / "shop.git"
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(bare))
    assert fetch_git_sha(bare) == git(repository, "rev-parse", "HEAD")


def test_a_sha256_repository(git: Git, tmp_path: Path) -> None:
    """Commits of 64 digits are commits."""
    folder = tmp_path / "long"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main", "--object-format=sha256")
    git(folder, "commit", "-q", "--allow-empty", "-m", "one")
    sha = fetch_git_sha(folder)
    assert len(sha) == 64
    assert sha == git(folder, "rev-parse", "HEAD")


def test_a_chain_of_symbolic_refs(git: Git, repository: Path) -> None:
    """A branch that stands for another is followed to its commit."""
    git(repository, "symbolic-ref", "refs/heads/live", "refs/heads/main")
    git(repository, "symbolic-ref", "HEAD", "refs/heads/live")
    assert fetch_git_sha(repository) == git(repository, "rev-parse", "HEAD")


def test_symbolic_refs_in_a_circle(git: Git, repository: Path) -> None:
    """… and one that leads back to itself is an error, not a hang."""
    (repository / ".git" / "refs" / "heads" / "main").write_text("ref: refs/heads/main\n")
    with pytest.raises(InvalidGitRepository, match="too many symbolic refs"):
        fetch_git_sha(repository)


def test_reftables_are_left_to_git(
    git: Git, repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A repository with reftables is asked about through git, whose answer is taken.

    git before 2.45 cannot make one, so its mark is put on a repository, and a git that knows
    it stands in the PATH.
    """
    sha = git(repository, "rev-parse", "HEAD")
    (repository / ".git" / "reftable").mkdir()
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "git").write_text(f'#!/bin/sh\ncase "$*" in *HEAD*) echo {sha};; *) exit 1;; esac\n')
    (tools / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    assert fetch_git_sha(repository) == sha
    with pytest.raises(InvalidGitRepository, match="2.45"):
        fetch_git_sha(repository, "no-such")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(InvalidGitRepository, match="2.45"):
        fetch_git_sha(repository)


def test_no_git_is_needed(
    git: Git, repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All but reftables is read from files: an image without git has its release too."""
    sha = git(repository, "rev-parse", "HEAD")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert fetch_git_sha(repository) == sha


def test_what_is_missing_is_told(git: Git, repository: Path, tmp_path: Path) -> None:
    """No repository, no commit, no branch, a broken pointer: each error says which."""
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q", "-b", "main")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / ".git").write_text("gitdir: /nowhere/at/all\n")
    for path, head, said in (
        (nowhere, None, "is in no git repository"),
        (empty, None, "refs/heads/main is no ref"),
        (repository, "no-such", "refs/heads/no-such is no ref"),
        (repository, "../../config", "is no ref"),
        (broken, None, "names no git directory"),
    ):
        with pytest.raises(InvalidGitRepository, match=said):
            fetch_git_sha(path, head)


def test_a_ref_that_holds_no_commit(repository: Path) -> None:
    """A damaged ref is an error, never sent as a release."""
    (repository / ".git" / "refs" / "heads" / "main").write_text("not a commit\n")
    with pytest.raises(InvalidGitRepository, match="holds no commit"):
        fetch_git_sha(repository)
    assert release._SHA.fullmatch("g" * 40) is None
