import { clusterRoutes } from "./cluster_routes.ts";
import { healthRoutes } from "./health_routes.ts";
import { keyRoutes } from "./key_routes.ts";
import { openApiRoute } from "./openapi.ts";
import { metricsRoute, pageRoute } from "./page_routes.ts";
import type { Route } from "./route.ts";
import { transferRoutes } from "./transfer_routes.ts";
import { valueRoutes } from "./value_routes.ts";
import type { WatchHub } from "./watch_hub.ts";
import { watchRoutes } from "./watch_routes.ts";

/** Every route of a node. */
export function allRoutes(hub: WatchHub): readonly Route[] {
  const routes = [
    ...valueRoutes,
    ...keyRoutes,
    ...watchRoutes(hub),
    ...transferRoutes,
    ...clusterRoutes,
    ...healthRoutes,
    metricsRoute,
    pageRoute,
  ];
  return [...routes, openApiRoute(routes)];
}

/** The routes of one path, and what `Allow` says of it. */
export interface PathRoutes {
  readonly path: string;
  /** What a raw path begins with when it ends in a parameter; otherwise the path itself. */
  readonly prefix: string;
  readonly parameter: boolean;
  readonly byMethod: ReadonlyMap<string, Route>;
  readonly allow: string;
}

/** Sorts routes by their paths. */
export function byPath(routes: readonly Route[]): readonly PathRoutes[] {
  const paths = new Map<string, Map<string, Route>>();
  for (const route of routes) {
    const methods = paths.get(route.path) ?? new Map<string, Route>();
    paths.set(route.path, methods.set(route.method, route));
    if (route.method === "GET") methods.set("HEAD", route);
  }
  return [...paths].map(([path, byMethod]) => {
    const mark = path.indexOf("{");
    return {
      path,
      prefix: mark === -1 ? path : path.slice(0, mark),
      parameter: mark !== -1,
      byMethod,
      allow: [...byMethod.keys(), "OPTIONS"].join(", "),
    };
  });
}
