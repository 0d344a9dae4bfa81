package scaffold

import (
	"io/fs"
	"path"
)

// IgnoreFile returns the text of a .dockerignore for a project that has none.
func IgnoreFile(fsys fs.FS) string {
	text := `# What no image and no build needs. Only what app.copy names is sent; this is for what lies inside of it.
.git
.github
.gitlab*
.idea
.vscode
**/__pycache__
**/*.py[cod]
**/.venv
**/venv
**/.tox
**/.nox
**/.mypy_cache
**/.pytest_cache
**/.ruff_cache
**/.ipynb_checkpoints
**/.coverage
**/htmlcov
**/*.egg-info
**/node_modules
Dockerfile*
compose*.y*ml
docker-compose*.y*ml
pylock.*.toml

# Results and caches of experiments
**/wandb
**/mlruns
**/lightning_logs
**/.dvc/cache

# Secrets: mlbuild refuses to copy them; here they are left out silently
**/.env
**/.env.*
!**/.env.example
**/*.pem
**/*.key
**/id_rsa*
**/id_ed25519*
**/.netrc
**/.pypirc
**/.aws
**/.kube
**/credentials.json
`
	for i, v := range environments(fsys) {
		if i == 0 {
			text += "\n# Virtual environments\n"
		}
		text += v + "\n"
	}
	return text
}

// environments lists the virtual environments at the top of a project.
func environments(fsys fs.FS) (found []string) {
	entries, _ := fs.ReadDir(fsys, ".") // nothing is found where it cannot be read
	for _, e := range entries {
		if _, err := fs.Stat(fsys, path.Join(e.Name(), "pyvenv.cfg")); err == nil {
			found = append(found, e.Name())
		}
	}
	return found
}
