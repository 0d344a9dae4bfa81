package report

import (
	"fmt"
	"html"
	"math"
	"strings"

	"github.com/mlbuild/mlbuild/integration/bench/results"
)

// bar is one line of a panel: the median and, as a whisker, the least and the greatest.
type bar struct {
	label string
	own   bool // mlbuild's, drawn in another color
	value results.Spread
}

// panel is a group of bars with a scale of its own.
type panel struct {
	title string
	bars  []bar
}

const (
	labelWidth = 230
	barWidth   = 430
	valueWidth = 140
	barHeight  = 18
	headHeight = 30
)

// plot draws the panels one under the other; figures are seconds.
func plot(panels []panel) string {
	height := 8
	for _, p := range panels {
		height += headHeight + barHeight*len(p.bars) + 6
	}
	width := labelWidth + barWidth + valueWidth
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n",
		width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	y := 0
	for _, p := range panels {
		p.draw(&b, y)
		y += headHeight + barHeight*len(p.bars) + 6
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (p panel) draw(b *strings.Builder, y int) {
	fmt.Fprintf(b, `<text x="8" y="%d" font-weight="bold" fill="#222222">%s</text>`+"\n", y+22, html.EscapeString(p.title))
	top := p.top()
	for i, r := range p.bars {
		r.draw(b, y+headHeight+i*barHeight, top)
	}
}

// top is the greatest figure of the panel.
func (p panel) top() float64 {
	top := 0.0
	for _, r := range p.bars {
		top = math.Max(top, r.value.Max)
	}
	return top
}

func (r bar) draw(b *strings.Builder, y int, top float64) {
	x := func(v float64) float64 {
		if top <= 0 {
			return labelWidth
		}
		return labelWidth + barWidth*v/top
	}
	color := "#9aa5b1"
	if r.own {
		color = "#1f77b4"
	}
	mid := float64(y) + barHeight/2.0
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end" fill="#222222">%s</text>`+"\n", labelWidth-8, y+13, html.EscapeString(r.label))
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n",
		labelWidth, y+2, math.Max(1, x(r.value.Median)-labelWidth), barHeight-4, color)
	fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#222222"/>`+"\n", x(r.value.Min), mid, x(r.value.Max), mid)
	fmt.Fprintf(b, `<text x="%.1f" y="%d" fill="#222222">%s</text>`+"\n", x(r.value.Max)+6, y+13, seconds(r.value.Median)+" s")
}

// panelsOf are the plotted scenarios of a workload.
func panelsOf(r *results.Run, workload string) []panel {
	var all []panel
	for _, s := range scenarios {
		p := panel{title: s.title + ", seconds"}
		for _, c := range r.Contenders(workload, s.id, order) {
			p.bars = append(p.bars, bar{contenderTitle(c), strings.HasPrefix(c, "mlbuild"), r.Spread(workload, s.id, c, results.Seconds)})
		}
		if s.plot && len(p.bars) > 1 {
			all = append(all, p)
		}
	}
	return all
}
