/**
 * The module that other pages import: `<script type="module" src="http://camera:9090/-/eyelet.js"></script>` gives them
 * `<eyelet-view>`.
 */
import { EyeletView } from './core/element/element.js';

// Two copies of this module on one page are no mistake of the page's.
if (!customElements.get('eyelet-view')) customElements.define('eyelet-view', EyeletView);

export { EyeletView };
