export { init } from "echarts/core";
import { use } from "echarts/core";
import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import { SVGRenderer } from "echarts/renderers";

const components = [GridComponent, MarkLineComponent, TooltipComponent];
use([BarChart, LineChart, ...components, SVGRenderer]);
