/** No other program's variables begin like this: both are names of our processes. */
const OUR_PREFIX = /^(?:QUERY|INGESTER)_/;

/** From this length on, two typing errors still leave no doubt about what was meant. */
const LONG_NAME = 12;

/**
 * Whether Kubernetes (or a Docker link) sets the variable for a service, which may be called `redis`, `armada` or `query`:
 * `REDIS_SERVICE_HOST`, `REDIS_SERVICE_PORT_GRPC`, `REDIS_PORT_6379_TCP_ADDR`, or `REDIS_PORT` with a URL.
 */
function isServiceVariable(name: string, value: string): boolean {
  return (
    /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)$/.test(name) ||
    (name.endsWith('_PORT') && /^(?:tcp|udp|sctp):/.test(value))
  );
}

/**
 * A problem for each variable that was meant for us and is not a setting. An environment is shared with others (`REDIS_PASSWORD`
 * that only a manifest expands into `REDIS_URL`, say), so a name is refused only in two cases: it begins with the name of one of
 * our processes; or it is one typing error away from a setting (two in a long name) that is not set itself. With `REDIS_URL` set,
 * `REDIS_URI` is somebody else's; without it, it is a mistake. Variables that Kubernetes makes for services are never refused.
 */
export function unknownVariables(
  env: Readonly<Record<string, string | undefined>>,
  known: readonly string[],
): string[] {
  return Object.entries(env).flatMap(([name, value = '']) => {
    if (known.includes(name) || isServiceVariable(name, value)) return [];
    const nearest = nearestName(name, known);
    const mistyped = isTypingError(name, nearest) && !env[nearest];
    return mistyped || OUR_PREFIX.test(name)
      ? [`${name} (environment) is not a setting; did you mean ${nearest}?`]
      : [];
  });
}

/** The known name that is nearest to `name`, upper and lower case alike. */
export function nearestName(name: string, known: readonly string[]): string {
  const distances = known.map((candidate) => distance(name, candidate));
  return known[distances.indexOf(Math.min(...distances))] ?? '';
}

function isTypingError(name: string, setting: string): boolean {
  return distance(name, setting) <= (setting.length < LONG_NAME ? 1 : 2);
}

/** How many letters must be inserted, removed, replaced or swapped with their neighbour to make one name the other. */
function distance(one: string, other: string): number {
  const [a, b] = [one.toUpperCase(), other.toUpperCase()];
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? Infinity;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(i - 2, j - 2) + 1 : Infinity;
      row[j] = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + same, swapped);
    }
  }
  return at(a.length, b.length);
}
