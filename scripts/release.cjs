'use strict';
// Says what keeps the package from being published, before anything is built for it. Usage: node scripts/release.cjs
const missing = ({ repository }) =>
  typeof repository?.url === 'string' && repository.url !== ''
    ? []
    : [
        'package.json has no repository: npm publish --provenance wants { "type": "git", "url": … } that names the one the workflow runs in. ' +
          'Set it before the first release (CONTRIBUTING.md, Releases)',
      ];

module.exports = { missing };

if (require.main === module) {
  const found = missing(require('../package.json'));
  for (const sentence of found) console.error(`release: ${sentence}`);
  process.exitCode = found.length > 0 ? 1 : 0;
}
