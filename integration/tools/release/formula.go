package main

import (
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// formulaText is a Homebrew formula (docs.brew.sh, Formula Cookbook): an archive for each platform that brew runs on.
var formulaText = template.Must(template.New("formula").Parse(`class Mlbuild < Formula
  desc "Build container images of Python projects, one layer for each wheel"
  homepage "https://github.com/mlbuild/mlbuild"
  version "{{.Version}}"
  license "Apache-2.0"
{{range .Systems}}
  on_{{.Name}} do
{{- range .Archives}}
    on_{{.CPU}} do
      url "https://github.com/mlbuild/mlbuild/releases/download/v{{$.Version}}/{{.File}}"
      sha256 "{{.Sum}}"
    end
{{- end}}
  end
{{end}}
  def install
    libexec.install Dir["{mlbuild,buildkitd}"]
    bin.install_symlink libexec/"mlbuild"
    man1.install Dir["man/man1/*.1"]
    bash_completion.install "completions/mlbuild.bash" => "mlbuild"
    zsh_completion.install "completions/_mlbuild"
    fish_completion.install "completions/mlbuild.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/mlbuild version")
  end
end
`))

type formulaArchive struct{ CPU, File, Sum string }

// formula writes mlbuild.rb, of the archives that are there.
func (r release) formula() error {
	type system struct {
		Name     string
		Archives []formulaArchive
	}
	data := struct {
		Version string
		Systems []system
	}{Version: r.version}
	data.Systems = []system{{"macos", r.formulaArchives("darwin")}, {"linux", r.formulaArchives("linux")}}
	for _, s := range data.Systems {
		for i, a := range s.Archives {
			sum, err := sumOf(filepath.Join(r.out, a.File))
			if err != nil {
				return err
			}
			s.Archives[i].Sum = sum
		}
	}
	var text strings.Builder
	if err := formulaText.Execute(&text, data); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, "mlbuild.rb"), []byte(text.String()), 0o644)
}

// formulaArchives are the archives of a system by brew's names of processors, without their sums.
func (r release) formulaArchives(os string) []formulaArchive {
	return []formulaArchive{{CPU: "arm", File: r.archiveName(platform{os, "arm64"})}, {CPU: "intel", File: r.archiveName(platform{os, "amd64"})}}
}
