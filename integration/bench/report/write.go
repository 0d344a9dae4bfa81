package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/mlbuild/mlbuild/integration/bench/results"
)

//go:embed performance.md.tmpl
var document string

// Write makes dir/performance.md and a plot for each workload in dir/img.
func Write(dir string, r *results.Run) error {
	img := filepath.Join(dir, "img")
	if err := os.MkdirAll(img, 0o755); err != nil {
		return err
	}
	plots := map[string]string{}
	for _, w := range workloads(r) {
		panels := panelsOf(r, w)
		if len(panels) == 0 {
			continue
		}
		name := "bench-" + w + ".svg"
		if err := os.WriteFile(filepath.Join(img, name), []byte(plot(panels)), 0o644); err != nil {
			return err
		}
		plots[w] = "img/" + name
	}
	text, err := markdown(r, plots)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "performance.md"), []byte(text), 0o644)
}

// markdown is the document; plots maps workloads to the files of their plots.
func markdown(r *results.Run, plots map[string]string) (string, error) {
	t, err := template.New("performance").Funcs(template.FuncMap{"size": size, "bytes": func(n int64) string { return size(float64(n)) },
		"minutes": func(s float64) string { return fmt.Sprintf("%.1f", s/60) }}).Parse(document)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = t.Execute(&out, map[string]any{
		"Run": r, "Goals": goals(r), "Slower": slower(r), "Sections": sections(r, plots), "Missing": missing(r),
	})
	return out.String(), err
}

// section is a workload's part of the document.
type section struct {
	Title, Plot string
	Load        *results.Load
	Tables      []table
}

type table struct{ Title, Note, Text string }

func sections(r *results.Run, plots map[string]string) []section {
	var all []section
	for _, w := range workloads(r) {
		s := section{Title: w, Plot: plots[w], Load: r.Load(w)}
		for _, sc := range scenarios {
			if names := r.Contenders(w, sc.id, order); len(names) > 0 {
				s.Tables = append(s.Tables, table{sc.title, note(sc, s.Load), rows(r, w, sc.id, names)})
			}
		}
		all = append(all, s)
	}
	return all
}

// note says what the scenario is and, where it changes a lock, what its first round changes.
func note(sc scenario, l *results.Load) string {
	if l == nil || l.Changes[sc.id] == "" {
		return sc.note
	}
	return sc.note + " First round: " + l.Changes[sc.id] + "."
}

// missing lists the parts that the run has no figures of.
func missing(r *results.Run) string {
	var names []string
	for _, name := range Parts {
		if !slices.ContainsFunc(r.Parts, func(p results.Part) bool { return p.Name == name }) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// rows is one scenario's table, a contender a line.
func rows(r *results.Run, workload, scenario string, contenders []string) string {
	var b strings.Builder
	b.WriteString("| contender | n | min s | median s | max s | against P2 | CPU s | sent | fetched | requests | layers sent | layers fetched | client RSS | daemon RSS |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	p2 := r.Median(workload, scenario, "p2")
	for _, c := range contenders {
		mid := func(f func(results.Sample) float64) float64 { return r.Spread(workload, scenario, c, f).Median }
		s := r.Spread(workload, scenario, c, results.Seconds)
		fmt.Fprintf(&b, "| %s | %d | %s | **%s** | %s | %s | %.2f | %s | %s | %.0f | %.0f | %.0f | %s | %s |\n",
			contenderTitle(c), s.N, seconds(s.Min), seconds(s.Median), seconds(s.Max), times(p2, s.Median),
			mid(func(s results.Sample) float64 { return s.DaemonCPU + s.ClientCPU }),
			size(mid(func(s results.Sample) float64 { return float64(s.Up) })),
			size(mid(func(s results.Sample) float64 { return float64(s.Down + s.Wheels) })),
			mid(func(s results.Sample) float64 { return float64(s.Requests) }),
			mid(func(s results.Sample) float64 { return float64(s.LayerPuts) }),
			mid(func(s results.Sample) float64 { return float64(s.LayerGets) }),
			size(mid(func(s results.Sample) float64 { return float64(s.ClientRSS) })),
			size(mid(func(s results.Sample) float64 { return float64(s.DaemonRSS) })))
	}
	return b.String()
}

// slower lists every scenario in which the fastest Dockerfile beat mlbuild by more than a twentieth.
func slower(r *results.Run) []string {
	var all []string
	for _, w := range workloads(r) {
		for _, sc := range scenarios {
			best, by := 0.0, ""
			for _, c := range r.Contenders(w, sc.id, order) {
				if m := r.Median(w, sc.id, c); strings.HasPrefix(c, "p") && (by == "" || m < best) {
					best, by = m, c
				}
			}
			if own := r.Median(w, sc.id, "mlbuild"); by != "" && own > 1.05*best {
				all = append(all, fmt.Sprintf("%s, %s: %s s, %s %s s", w, lower(sc.title), seconds(own), contenderTitle(by), seconds(best)))
			}
		}
	}
	return all
}

// lower makes a title part of a sentence.
func lower(title string) string { return strings.ToLower(title[:1]) + title[1:] }
